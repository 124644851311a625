"""The whole DAG runs, has nothing to do a second time, reruns only what a change concerns, and survives kill -9."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from scripts.monosem.core import artefacts
from tests.helpers.running import command, environment

POST = "blocks.0.mlp.hook_post"


def jobs_of(printed: str) -> dict[str, int]:
    """Rule -> number of jobs, from Snakemake's job statistics."""
    table = printed[printed.index("Job stats:") :]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M) if rule != "total"}


def test_everything_is_there(finished):
    results = finished / "results"
    for name in ("environment.json", "metrics.json", "claims.json", "report.md", "report.html", "rulegraph.mmd"):
        assert (results / name).stat().st_size > 0, name
    assert len(list(results.glob("sae/*/*/*/sae_weights.safetensors"))) == 8
    assert len(list(results.glob("evaluation/*/*/fidelity.json"))) == 5
    for svg in results.glob("figures/*/*.svg"):
        assert svg.with_suffix(".png").stat().st_size > 0
    assert not list(results.rglob("*.tmp"))


def test_the_run_ends_with_times_and_the_place_of_the_report(finished):
    printed = (finished / "smoke.out").read_text()
    assert re.search(r"^rule +jobs +wall s +work s +start s +core s +share$", printed, re.M)
    assert re.search(r"^train_sae +8( +\d+\.\d){4} +\d+%$", printed, re.M)
    assert re.search(r"^together +\d+( +\d+\.\d){4} +100%$", printed, re.M)
    assert "The report: results/report.html" in printed[-800:]


def test_the_rule_graph_is_that_of_the_run(finished):
    graph = (finished / "results/rulegraph.mmd").read_text()
    assert "train_sae" in graph and "compile_report" in graph and "link_language_model" not in graph


def test_every_job_has_a_log_that_ends_well(finished):
    logs = list((finished / "results/logs").rglob("*.log"))
    assert len(logs) >= 30
    for log in logs:
        assert re.search(r"^finished: [\d.]+ s of work$", log.read_text().splitlines()[-1]), log


def test_results_name_no_path_of_this_machine(finished):
    for path in [*finished.glob("results/**/*.json"), finished / "results/report.md", finished / "results/report.html"]:
        assert str(finished) not in path.read_text(), path


def test_a_second_run_has_nothing_to_do(finished, snakemake):
    done = snakemake(finished)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout


def test_touching_code_reruns_nothing(finished, snakemake):
    for path in (finished / "scripts").rglob("*.py"):
        path.touch()
    done = snakemake(finished, "-n")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout[-3000:]


@pytest.fixture
def changed(finished, tmp_path):
    """A copy of the finished run, in which a test changes something."""
    shutil.copytree(finished, tmp_path / "changed", symlinks=True)
    return tmp_path / "changed"


def edit(path: Path, old: str, new: str) -> None:
    """Replace one piece of a file."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


REPORTING = {"collect_metrics", "check_claims", "verify_run", "compile_report", "all"}


def test_changing_one_autoencoder_reruns_it_and_what_follows(changed, snakemake):
    edit(changed / "tests/smoke.yaml", "l1_coefficient: 1.0,", "l1_coefficient: 2.0,")
    jobs = jobs_of(snakemake(changed, "-n").stdout)
    assert jobs["train_sae"] == 1 and jobs["evaluate_fidelity"] == 1
    latents = {"encode_text", "compare_dictionaries", "plot_dictionaries", "build_browser"}
    assert set(jobs) == {"train_sae", "evaluate_fidelity", "plot_fidelity", "plot_sweeps", *latents, *REPORTING}


def test_sites_listed_together_are_read_in_one_pass(finished):
    logs = finished / "results/logs/extract_activations"
    first, second = ((logs / f"gpt2-mini_blocks.{layer}.mlp.hook_post.log").read_text() for layer in (1, 0))
    assert "blocks.1.mlp.hook_post, blocks.0.mlp.hook_post" in first and "tokens" in first
    assert "tokens" not in second
    stored = finished / "results/activations/gpt2-mini"
    rows = {artefacts.read_json(path)["n_tokens"] for path in stored.glob("*/manifest.json")}
    assert len(rows) == 1 and not list(stored.glob("*/manifest.waiting.json"))


def test_a_site_of_its_own_reads_and_trains_no_other_again(changed, snakemake):
    old = "    - {model: onelayer-a-shuffled, site:"
    new = "    - {model: chapters.language_model, site: blocks.1.hook_resid_post, runs: [topk-256]}\n"
    edit(changed / "tests/smoke.yaml", old, new + old)
    jobs = jobs_of(snakemake(changed, "-n").stdout)
    assert jobs["extract_activations"] == 1 and jobs["train_sae"] == 1


def test_a_site_that_joins_a_list_reads_the_list_again(changed, snakemake):
    edit(
        changed / "tests/smoke.yaml",
        "blocks.0.mlp.hook_post], runs",
        "blocks.0.mlp.hook_post, blocks.1.hook_resid_post], runs",
    )
    jobs = jobs_of(snakemake(changed, "-n").stdout)
    assert jobs["extract_activations"] == 3 and jobs["train_sae"] == 3


@pytest.mark.parametrize(
    "deleted, rule",
    [
        ("data/smoke/tokens/bpe-512/train.tokens.npy", "tokenize_corpus"),
        ("data/smoke/tokens/bpe-512/test.natural.npy", "tokenize_corpus"),
        ("models/onelayer-a/config.json", "train_language_model"),
        (f"activations/onelayer-a/{POST}/activations.npy", "extract_activations"),
        (f"activations/gpt2-mini/{POST}/positions.npy", "extract_activations"),
        (f"sae/onelayer-a/{POST}/relu-256/cfg.json", "train_sae"),
    ],
)
def test_a_deleted_file_that_jobs_read_is_made_again(changed, snakemake, deleted, rule):
    (changed / "results" / deleted).unlink()
    assert rule in jobs_of(snakemake(changed, "-n", f"results/{deleted}").stdout)


def test_activations_are_extracted_again_and_another_autoencoder_trained_on_them(changed, snakemake):
    (changed / f"results/activations/gpt2-mini/{POST}/activations.npy").unlink()
    edit(changed / "tests/smoke.yaml", "k: 8, vectors: 60_000", "k: 7, vectors: 2_000")
    done = snakemake(changed, f"results/sae/gpt2-mini/{POST}/topk-256/cfg.json")
    assert done.returncode == 0, done.stdout[-3000:]
    assert jobs_of(done.stdout) == {"extract_activations": 1, "train_sae": 1}


def test_results_carried_elsewhere_are_refused_until_they_are_taken(changed, snakemake):
    shutil.move(changed / ".snakemake", changed / "left behind")
    edit(changed / "tests/smoke.yaml", "\nevaluation:\n", "\nseed: 1\nevaluation:\n")
    done = snakemake(changed)
    assert done.returncode == 1 and "files that were not made in this checkout" in done.stdout.splitlines()[-1]
    assert snakemake(changed, "--touch", "--forceall").returncode == 0
    done = snakemake(changed, "-n")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout[-3000:]


def test_changing_interpretation_trains_nothing(changed, snakemake):
    edit(changed / "tests/smoke.yaml", "units: 4", "units: 5")
    jobs = jobs_of(snakemake(changed, "-n").stdout)
    assert "interpret_latents" in jobs
    assert not {"train_sae", "extract_activations", "train_language_model", "evaluate_fidelity"} & set(jobs)


def test_changing_code_reruns_what_uses_it(changed, snakemake):
    with open(changed / "scripts/monosem/toy/geometry.py", "a") as file:
        file.write("\nCHANGED = True\n")
    jobs = jobs_of(snakemake(changed, "-n").stdout)
    assert jobs["run_toy_experiment"] > 1
    assert not {"build_corpus", "train_sae", "train_language_model"} & set(jobs)


def test_forcing_one_rule(changed, snakemake):
    jobs = jobs_of(snakemake(changed, "-n", "-R", "train_tokenizer").stdout)
    assert {"train_tokenizer", "tokenize_corpus", "train_sae"} <= set(jobs) and "build_corpus" not in jobs


def test_a_run_handed_in_as_pretrained_is_evaluated_to_the_same_digits(changed, snakemake):
    place = f"onelayer-a/{POST}"
    shutil.copytree(changed / f"results/sae/{place}/topk-256", changed / "mine/layer")
    settings = yaml.safe_load((changed / "tests/smoke.yaml").read_text())
    settings["sae"]["runs"]["mine"] = {"pretrained": {"name": "mine", "subfolder": "layer"}}
    settings["sae"]["use"][0]["runs"].append("mine")
    settings["interpretation"]["use"].append({"model": "onelayer-a", "site": POST, "run": "mine"})
    (changed / "tests/smoke.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    done = snakemake(changed)
    assert done.returncode == 0, done.stdout[-3000:]
    jobs = jobs_of(done.stdout)
    assert jobs["import_sae"] == 1 and "train_sae" not in jobs
    runs = json.loads((changed / f"results/evaluation/{place}/fidelity.json").read_text())["runs"]
    assert runs["mine"] == runs["topk-256"]
    read = [changed / f"results/evaluation/{place}/{run}/interpretation.json" for run in ("mine", "topk-256")]
    same = [{**json.loads(path.read_text()), "run": None} for path in read]
    assert same[0] == same[1]
    assert "**`mine` is pretrained.**" in (changed / "results/report.md").read_text()


def test_a_foreign_artefact_is_refused_and_nothing_else_is_lost(changed, snakemake):
    weights = changed / f"results/sae/onelayer-a/{POST}/topk-256/sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    others = {path: path.stat().st_mtime_ns for path in changed.glob("results/sae/*/*/*/sae_weights.safetensors")}
    done = snakemake(changed)
    assert done.returncode == 1
    # the log of the job, under its error
    assert re.search(r"failed: results/sae/onelayer-a/\S+/topk-256/sae_weights.safetensors is cut short", done.stdout)
    assert others == {path: path.stat().st_mtime_ns for path in others}


def processes_below(folder: Path) -> list[int]:
    """Processes that have `folder` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(folder) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def wait_for(what, seconds: float) -> bool:
    """True if `what()` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.1)
    return False


def test_a_killed_run_resumes_with_the_same_numbers(changed, snakemake):
    model = changed / "results/models/onelayer-a"
    target = str((model / "model.safetensors").relative_to(changed))
    settings = yaml.safe_load((changed / "tests/smoke.yaml").read_text())
    for name in ("onelayer-a", "onelayer-a-no-mlp"):  # twins have the same settings
        settings["models"][name]["train"]["tokens"] = 400_000
    (changed / "tests/smoke.yaml").write_text(yaml.safe_dump(settings))
    log = changed / "results/logs/train_language_model/onelayer-a.log"
    before = log.read_text()

    run = subprocess.Popen(
        command(target), cwd=changed, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # the job has begun, and writes a log of its own
    assert wait_for(lambda: log.exists() and log.read_text() not in ("", before), 120)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert list((changed / ".snakemake/locks").iterdir())
    assert wait_for(lambda: not processes_below(changed), 60), "the job outlives its run"
    assert "the workflow has ended" in log.read_text()

    done = snakemake(changed, target)
    assert done.returncode == 0, done.stdout[-3000:]
    resumed = artefacts.sha256(model / "model.safetensors")
    done = snakemake(changed, "--force", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert artefacts.sha256(model / "model.safetensors") == resumed
    assert json.loads((model / "training.json").read_text())["tokens"] == pytest.approx(400_000, rel=0.01)


def test_fewer_cores_rerun_nothing(finished, snakemake):
    done = snakemake(finished, "-n", cores=1)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout[-2000:]


def test_snakemakes_own_report(finished, snakemake):
    done = snakemake(finished, "--report", "report.zip")
    assert done.returncode == 0, done.stdout[-3000:]
    assert os.path.getsize(finished / "report.zip") > 100_000
