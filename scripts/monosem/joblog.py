"""Logs and progress of a job: everything a job prints goes to its log, progress also to the terminal."""

import atexit
import os
import sys
import time
from pathlib import Path
from typing import Any

_terminal_fd: int | None = None
_label = ""


def start(path: str | Path, rule: str, wildcards: dict[str, Any], threads: int = 1) -> None:
    """Send this process's stdout and stderr (C code and children included) to the log.

    Called first in every script. Snakemake has already set OMP_NUM_THREADS, which torch follows. The last line of a good log is `finished: … s of work`, which the time table reads.
    """
    global _terminal_fd, _label
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _label = " ".join([rule, *map(str, wildcards.values())])
    _terminal_fd = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)
    began = time.perf_counter()
    print(f"{rule} {wildcards or ''} threads={threads}", flush=True)
    atexit.register(lambda: print(f"finished: {time.perf_counter() - began:.1f} s of work", flush=True))


def say(text: str) -> None:
    """One line for a person: into the log and, from a workflow job, onto the terminal."""
    print(text, flush=True)
    if _terminal_fd is not None:
        os.write(_terminal_fd, f"  [{_label}] {text}\n".encode())


class Progress:
    """Prints `done/total, fields, time left` at most every `every_s` seconds, and at the end."""

    def __init__(self, total: int, unit: str, every_s: float = 10.0) -> None:
        self.total, self.unit, self.every_s = total, unit, every_s
        self.began = self.last = time.perf_counter()
        self.first: int | None = None

    def update(self, done: int, **fields: float | str) -> None:
        """Report that `done` of `total` are finished; `fields` are shown as name value."""
        now = time.perf_counter()
        if self.first is None:
            self.first = done
        if done < self.total and now - self.last < self.every_s:
            return
        self.last = now
        rate = (done - self.first) / max(now - self.began, 1e-9)
        left = (self.total - done) / rate if rate > 0 else float("inf")
        shown = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in fields.items())
        left_text = "" if done >= self.total or left == float("inf") else f", {left:.0f} s left"
        say(f"{done:,}/{self.total:,} {self.unit}{', ' + shown if shown else ''}{left_text}")
