"""A workflow run and its jobs: what jobs inherit, jobs that end with their run, and locks that a killed run left."""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

import psutil

RUN_PID = "MONOSEM_RUN_PID"
"""Environment variable: the process whose end is the end of its jobs."""

_locked: list[int] = []  # file descriptors whose locks last as long as this process


def begin(environ: MutableMapping[str, str], offline: bool) -> None:
    """Set what every job inherits: the run it belongs to, and no network unless the configuration asks for it."""
    environ[RUN_PID] = str(os.getpid())
    if offline:
        environ["HF_HUB_OFFLINE"] = "1"


def is_alive(pid: int) -> bool:
    """True for a process that runs; one that has ended but was not yet waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_with_run(environ: MutableMapping[str, str], every_s: float = 1.0, stop: Callable = os._exit) -> None:
    """End this job when its run is gone, so that no orphan writes into the results of the next run.

    Watched from a thread; `kill -9` on the run gives it no chance to stop its jobs itself. Nothing is half written
    then: files are moved into place whole.
    """
    if RUN_PID not in environ:
        return
    pid = int(environ[RUN_PID])

    def watch() -> None:
        while is_alive(pid):
            time.sleep(every_s)
        print("the workflow has ended without this job: stopping", flush=True)
        stop(1)

    threading.Thread(target=watch, daemon=True, name="end with run").start()


def clear_stale_lock(folder: Path) -> bool:
    """Remove Snakemake's lock if the run that took it is dead; returns True if there was one to remove.

    After `kill -9` or a power cut the same command continues the run, without an error about a lock and `--unlock`.
    A lock of the operating system, which every run shares and which ends with it, shows that no other run is alive;
    on a file system without such locks everything stays as it is.
    """
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / "monosem.alive", os.O_RDWR | os.O_CREAT, 0o644)
    _locked.append(descriptor)
    removed = False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        removed = any((folder / "locks").glob("*.lock"))
        if removed:
            shutil.rmtree(folder / "locks")
            (folder / "locks").mkdir()
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        pass
    return removed
