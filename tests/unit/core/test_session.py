"""Jobs end with their run, and a killed run leaves no lock behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.monosem.core import session

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def started():
    """Start processes that are gone at the end of the test."""
    processes = []

    def start(command, **options):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        processes.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_jobs_inherit_their_run_and_have_no_network():
    environ = {}
    session.begin(environ, offline=True)
    assert environ == {session.RUN_PID: str(os.getpid()), "HF_HUB_OFFLINE": "1"}
    environ = {}
    session.begin(environ, offline=False)
    assert "HF_HUB_OFFLINE" not in environ


def test_a_process_that_was_not_waited_for_is_not_alive(started):
    process = started(SLEEP)
    assert session.is_alive(process.pid)
    process.kill()
    deadline = time.monotonic() + 10
    while session.is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not session.is_alive(process.pid)


def test_a_job_ends_when_its_run_is_killed(started):
    run = started(SLEEP)
    job = started(
        [
            sys.executable,
            "-c",
            "import os, time; from scripts.monosem.core import session\n"
            "session.end_with_run(os.environ, every_s=0.05); print('up', flush=True); time.sleep(60)",
        ],
        env={**os.environ, session.RUN_PID: str(run.pid)},
    )
    time.sleep(0.3)
    assert job.poll() is None
    run.send_signal(signal.SIGKILL)
    assert job.wait(timeout=20) == 1
    assert "the workflow has ended" in job.stdout.read()


LOCK = (
    "import sys, time; from pathlib import Path; from scripts.monosem.core import session\n"
    "print('removed' if session.clear_stale_lock(Path(sys.argv[1])) else 'nothing', file=sys.stderr)\n"
    "print('up', flush=True); time.sleep(60)"
)


def test_only_a_dead_run_loses_its_lock(started, tmp_path):
    folder = tmp_path / ".snakemake"
    lock = folder / "locks" / "0.output.lock"
    run = started([sys.executable, "-c", LOCK, str(folder)])
    lock.parent.mkdir()
    lock.write_text("results/a")
    assert not session.clear_stale_lock(folder)
    assert lock.exists()
    while session._locked:  # let go, as a dry-run that has ended would
        os.close(session._locked.pop())
    run.kill()
    run.wait()
    assert session.clear_stale_lock(folder)
    assert not lock.exists()
    assert not session.clear_stale_lock(folder)


def test_a_run_that_cleared_the_lock_still_protects_its_own(started, tmp_path):
    folder = tmp_path / ".snakemake"
    (folder / "locks").mkdir(parents=True)
    (folder / "locks" / "0.input.lock").write_text("left by a killed run")
    started([sys.executable, "-c", LOCK, str(folder)])
    assert not list((folder / "locks").iterdir())
    (folder / "locks" / "0.output.lock").write_text("taken by the run that lives")
    assert not session.clear_stale_lock(folder)
    assert (folder / "locks" / "0.output.lock").exists()
