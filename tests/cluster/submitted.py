"""The smoke run submitted to Slurm, with a job cancelled on the way."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster import slurm
from tests.hard import common
from tests.helpers.running import environment

PLUGINS = Path(".cluster")
CANCELLED = "train_language_model"
"""The rule of the job that is cancelled while it runs."""


def submit(folder: Path, environ: dict[str, str], log: Path) -> subprocess.Popen:
    """Start the smoke run with the Slurm profile; what it prints goes to the end of `log`."""
    words = ["--workflow-profile", "profiles/slurm", "--configfile", "tests/smoke.yaml", "--latency-wait", "5"]
    words += ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
    with open(log, "a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *words], cwd=folder, env=environ, stdout=file, stderr=file
        )


def cancel(environ: dict[str, str], run: subprocess.Popen, rule: str, timeout_s: float = 600.0) -> str:
    """Cancel the first running job of a rule; returns its number, empty if the run ended before there was one."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and run.poll() is None:
        listed = subprocess.run(
            ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"], env=environ, capture_output=True, text=True
        )
        for line in listed.stdout.splitlines():
            number, _, comment = line.partition(" ")
            if rule in comment:
                time.sleep(3.0)  # in the middle of its work
                subprocess.run(["scancel", number], env=environ, check=True)
                return number
        time.sleep(0.5)
    return ""


def slurm_run(work: Path) -> common.Tally:
    """Three checks: a cancelled job ends the run, the same command goes on, the numbers are those of a local run."""
    tally = common.Tally("Slurm")
    if reason := slurm.missing():
        tally.skipped = reason
        return tally
    finished = common.finished_run(work)
    folder, log = work / "slurm", work / "slurm.log"
    log.unlink(missing_ok=True)
    common.fresh_copy(finished, folder)
    with slurm.cluster(os.cpu_count() or 1):
        paths = os.pathsep.join([str(PLUGINS.resolve()), environment().get("PYTHONPATH", "")])
        environ = environment() | {"PYTHONPATH": paths.rstrip(os.pathsep)}
        run = submit(folder, environ, log)
        number = cancel(environ, run, CANCELLED)
        status = run.wait()
        note(
            tally, bool(number) and status != 0, f"job {number or '(none)'} was cancelled, the run ended with {status}"
        )
        status = submit(folder, environ, log).wait()
        note(tally, status == 0, f"the same command ended with {status}; see {log}")
    different = common.difference(common.numbers(finished), common.numbers(folder))
    note(tally, not different, different)
    return tally


def note(tally: common.Tally, holds: bool, otherwise: str) -> None:
    """Count a check that holds, or keep the sentence about one that does not."""
    tally.survived += holds
    tally.lost += [] if holds else [otherwise]
