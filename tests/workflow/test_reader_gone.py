"""The reader of a run's output leaves, as in `snakemake … 2>&1 | head`: jobs end well, nothing hangs or is locked.

Snakemake itself ends with an error when it prints to a closed pipe; the same command goes on.
"""

import subprocess

import pytest

from tests.helpers.running import command, environment

TARGET = "results/toy/superposition/result.json"


def read_until(folder, word: bytes) -> int:
    """Run one experiment, and close its output behind the first line with a word; the exit status."""
    run = subprocess.Popen(
        command(TARGET, cores=1), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert any(word in line for line in run.stdout), word
    run.stdout.close()
    return run.wait(timeout=300)


@pytest.fixture(scope="module")
def folder(fresh):
    return fresh()


def test_gone_before_the_first_job_leaves_no_lock(folder):
    assert read_until(folder, b"Config file") != 0
    assert not list((folder / ".snakemake").glob("locks/*")) and not (folder / TARGET).exists()


def test_a_job_goes_on_without_a_reader_and_keeps_its_results(folder, snakemake):
    read_until(folder, b"300/300 steps, relu output")  # two more lines of progress would follow
    log = (folder / "results/logs/run_toy_experiment/superposition.log").read_text()
    assert "BrokenPipe" not in log and log.splitlines()[-1].startswith("finished: ")
    assert not list((folder / ".snakemake").glob("locks/*"))
    done = snakemake(folder, TARGET)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout[-2000:]
