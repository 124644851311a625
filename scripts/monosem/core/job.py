"""Logs and progress of a job: everything a job prints goes to its log, progress also to the terminal."""

import atexit
import os
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from scripts.monosem.core import session

_terminal_fd: int | None = None
_label = ""


def start(path: str | Path, rule: str, wildcards: dict[str, Any], threads: int = 1) -> None:
    """Send this process's stdout and stderr (C code and children included) to the log.

    Called first in every script. Snakemake has already set OMP_NUM_THREADS, which torch follows. The last line of a
    good log is `finished: … s of work`, which the time table reads; that of a bad one is the error in one sentence.
    The job ends when the workflow that started it is gone.
    """
    global _terminal_fd, _label
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _label = " ".join([rule, *map(str, wildcards.values())])
    _terminal_fd = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout.reconfigure(line_buffering=True)
    began = time.perf_counter()
    print(f"{_label} threads={threads}", flush=True)
    failed = []

    def on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        failed.append(error)
        traceback.print_exception(kind, error, trace)
        print(f"{rule} failed: {error or kind.__name__}", file=sys.stderr, flush=True)

    def at_end() -> None:
        if not failed:
            print(f"finished: {time.perf_counter() - began:.1f} s of work", flush=True)

    sys.excepthook = on_error
    atexit.register(at_end)
    session.end_with_run(os.environ)


def say(text: str) -> None:
    """One line for a person: into the log and, from a workflow job, onto the terminal."""
    print(text, flush=True)
    if _terminal_fd is not None:
        os.write(_terminal_fd, f"  [{_label}] {text}\n".encode())


def duration(seconds: float) -> str:
    """42 -> '42 s', 200 -> '3 min 20 s', 4000 -> '1 h 7 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Prints `done/total, fields, time left` at most every `every_s` seconds, and at the end."""

    def __init__(self, total: int, unit: str, every_s: float = 10.0) -> None:
        self.total, self.unit, self.every_s = total, unit, every_s
        self.began = self.last = time.perf_counter()
        self.first: int | None = None

    def update(self, done: int, **fields: float | str) -> None:
        """Report that `done` of `total` are finished; `fields` are shown as name value.

        The time left counts from the first call, so that what a resumed job found done is not taken for speed.
        """
        now = time.perf_counter()
        if self.first is None:
            self.first = done
            self.began = now if done else self.began
        if done < self.total and now - self.last < self.every_s:
            return
        self.last = now
        rate = (done - self.first) / max(now - self.began, 1e-9)
        shown = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in fields.items())
        left = f", {duration((self.total - done) / rate)} left" if rate > 0 and done < self.total else ""
        say(f"{done:,}/{self.total:,} {self.unit}{', ' + shown if shown else ''}{left}")
