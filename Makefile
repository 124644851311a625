# make report   the whole reproduction, down to results/report.html
# make verify   whether a run agrees with the reference run in paper/reference: verdicts and numbers
# make test     the tests
# Both set up .venv from the lock on first use, and again when the lock changes.
# make browser-test the feature browser in headless Chromium; needs chromium and chromedriver
# make bench        speed beside TransformerLens, SAELens and dictionary_learning, in an environment of its own (.venv-bench)
# make bench-test   our files in their hands, and theirs in ours
# make cluster-test   the smoke run on a one-node Slurm cluster, and with its results in a bucket (docs/many-machines.md)
# make hard         hours of bad configurations, kills, damaged files: docs/hard-failures.md

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$python; break; }; done)
CORES ?= all
READY := .venv/ready

BENCH := .venv-bench/ready

.PHONY: report verify test browser-test cluster-test hard bench bench-test clean-venv

report: $(READY)
	@.venv/bin/python -m scripts.fetch_model gpt2 --revision 607a30d783dfa663caf39e06633721c8d4cfcd7e --optional
	.venv/bin/snakemake --cores $(CORES)

verify: $(READY)
	@.venv/bin/snakemake --cores $(CORES) results/agreement.json
	@.venv/bin/python -m scripts.verify

test: $(READY)
	.venv/bin/python -m pytest -q

cluster-test: $(READY) .cluster/ready
	AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any PYTHONPATH=.cluster .venv/bin/python -m tests.cluster $(CLUSTER_ARGUMENTS)

browser-test: $(READY)
	.venv/bin/python -m pytest -q tests/browser tests/unit/browser

hard: $(READY)
	.venv/bin/python -m tests.hard $(HARD_ARGUMENTS)

bench: $(BENCH)
	.venv-bench/bin/python -m tests.bench.extraction --out results/bench/extraction
	.venv-bench/bin/python -m tests.bench.benchmark $(BENCH_ARGUMENTS)

bench-test: $(BENCH)
	.venv-bench/bin/python -m pytest -q tests/bench

# torch first and with its dependencies, the rest exactly as locked and without: pip keeps the build of torch it has
$(BENCH): envs/bench.lock
	@[ -x .venv-bench/bin/pip ] || $(PYTHON) -m venv --clear .venv-bench
	@echo "Installing what envs/bench.lock names"
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' envs/bench.lock)
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r envs/bench.lock
	@touch $@

$(READY): envs/requirements.lock envs/models.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "monosem needs Python 3.11, 3.12 or 3.13 and found none; name one: make report PYTHON=/path/to/python3.12"; \
		exit 1; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 13) else \
		f"Python {v[0]}.{v[1]} is not supported: name a Python 3.11 to 3.13, e.g. make report PYTHON=python3.12")'
	@[ -x .venv/bin/pip ] || { echo "Setting up .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing what envs/requirements.lock names"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r envs/models.lock
	@touch $@

.cluster/ready: envs/cluster.lock $(READY)
	@rm -rf .cluster
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target .cluster -r envs/cluster.lock
	@touch $@

clean-venv:
	rm -rf .venv .venv-bench .cluster
