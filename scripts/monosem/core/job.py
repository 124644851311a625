"""One job of the workflow: its files and parameters, its device, its log, and progress for whoever watches."""

import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.monosem.core import checksums, places, session

_terminal_fd: int | None = None
_label = ""
_began = 0.0  # when the work began; loading torch is start-up and moves it


@dataclass(frozen=True)
class Job:
    """Files, parameters and device of one job, for the script of its rule."""

    input: Any
    """Input files by their names in the rule."""
    output: Any
    """Output files by their names in the rule."""
    params: Any
    """Parameters by their names in the rule."""
    wildcards: Mapping[str, str] = field(default_factory=dict)
    """Values of the rule's wildcards."""
    threads: int = 1
    """Threads that the job may use."""
    log: Any = None
    """Log files by their names in the rule."""

    def folders(self, name: str) -> list[Path]:
        """Folders of the input files of one name, each once; none where the rule has no such input."""
        files = getattr(self.input, name, [])
        return list(dict.fromkeys(Path(path).parent for path in ([files] if isinstance(files, str) else files)))

    def folder(self, name: str) -> Path | None:
        """Folder of the input file of one name, None where the rule's list of them is empty."""
        return next(iter(self.folders(name)), None)

    @cached_property
    def device(self) -> str:
        """Device that the rule's `params.device` means on this machine; from then on freed memory is kept.

        Scripts ask for it before they import what needs torch: loading it counts as start-up, not as work.
        """
        global _began
        before = time.perf_counter()
        from scripts.monosem.core import runtime

        runtime.keep_freed_memory()
        device = runtime.pick_device(self.params.device)
        _began += time.perf_counter() - before
        return device


def run(main: Callable[[Job], None], snakemake: Any) -> None:
    """Run a script's `main` as the job that Snakemake describes.

    What the process prints (C code and children included) goes to the job's log, from before `main` imports what it
    needs. Inputs are compared with the checksums that their jobs kept. The last lines of a good log are `used … core-s`
    and `finished: … s of work`, which the time table reads; that of a bad one is the error in one sentence. The job
    ends when the workflow that started it is gone.
    """
    global _began, _label
    _redirect(snakemake.log[0])
    wildcards = dict(snakemake.wildcards)
    _label = " ".join([snakemake.rule, *wildcards.values()])
    session.end_with_run(os.environ)
    places.give_caches(os.environ)
    print(f"{_label} threads={snakemake.threads}", flush=True)
    _began = time.perf_counter()
    outputs = checksums.files_of(snakemake.output)
    try:
        checksums.compare(checksums.files_of(snakemake.input))
        checksums.forget(outputs)
        main(Job(snakemake.input, snakemake.output, snakemake.params, wildcards, snakemake.threads, snakemake.log))
        checksums.keep(outputs)
    except BaseException as error:
        traceback.print_exc()
        print(f"{snakemake.rule} failed: {error or type(error).__name__}", file=sys.stderr, flush=True)
        sys.exit(1)
    print(f"used {core_seconds():.1f} core-s", flush=True)
    print(f"finished: {time.perf_counter() - _began:.1f} s of work", flush=True)


def core_seconds() -> float:
    """Processor time of this process and of its children that have ended, user and system, start-up included."""
    process, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return process.ru_utime + process.ru_stime + children.ru_utime + children.ru_stime


def _redirect(path: str | Path) -> None:
    """Send stdout and stderr of this process and of its children to a file; keep the terminal for `say`."""
    global _terminal_fd
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _terminal_fd = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout.reconfigure(line_buffering=True)


def say(text: str) -> None:
    """Print one line for a person: into the log and, from a workflow job, onto the terminal.

    Nobody has to be there: `snakemake … | head` closes the terminal of jobs that still compute, and they go on.
    """
    text = text.encode("utf-8", "backslashreplace").decode()  # names of files need not be Unicode
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered would raise again at the end
    if _terminal_fd is not None:
        try:
            os.write(_terminal_fd, f"  [{_label}] {text}\n".encode())
        except OSError:
            pass


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

        The time left counts from the first call: what a resumed job finds done says nothing about speed.
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
