"""What the parts share: how trials ended, a finished run to start from, and what must be the same afterwards."""

import json
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts
from tests.helpers.running import command, environment
from tests.workflow.conftest import copy_of_repository

TIMES = ("seconds", "vectors_per_s", "bytes_per_s")
"""Last parts of the keys of metrics.json that measure time."""


@dataclass
class Tally:
    """How the trials of one part ended. Every trial is refused, survived or lost."""

    part: str
    """Its name in the table."""
    refused: int = 0
    """Ended in a sentence that names key or file."""
    survived: int = 0
    """Ended with the numbers of an undisturbed run."""
    lost: list[str] = field(default_factory=list)
    """What went wrong in each of the others."""
    skipped: str = ""
    """Why nothing was tried."""

    @property
    def tried(self) -> int:
        """All trials."""
        return self.refused + self.survived + len(self.lost)

    def row(self) -> str:
        """Of the table."""
        if self.skipped:
            return f"| {self.part} | skipped: {self.skipped} | | | |"
        return f"| {self.part} | {self.tried:,} | {self.refused:,} | {self.survived:,} | {len(self.lost):,} |"


HEAD = "| part | tried | refused | survived | lost |\n|---|---|---|---|---|"


def run(folder: Path, *words: str, configfile: str = "tests/smoke.yaml") -> subprocess.CompletedProcess:
    """The smoke run in a folder, to its end; both streams in `stdout`."""
    return subprocess.run(
        command(*words, configfile=configfile),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished_run(work: Path) -> Path:
    """A copy of the repository in which the smoke run has ended well; made once per folder of work."""
    folder = work / "finished"
    if not (folder / "finished").exists():
        shutil.rmtree(folder, ignore_errors=True)
        copy_of_repository(folder)
        began = time.monotonic()
        done = run(folder)
        if done.returncode:
            raise SystemExit(f"The undisturbed run failed already.\n{done.stdout[-3000:]}")
        (folder / "finished").write_text(f"{time.monotonic() - began:.0f}")  # its seconds
    return folder


def copy_of(folder: Path, to: Path) -> Path:
    """The same run elsewhere, to be disturbed."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    return to


def fresh_copy(finished: Path, to: Path) -> Path:
    """The code of a finished run without its results."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(finished, to, symlinks=True, ignore=shutil.ignore_patterns("results", ".snakemake", "finished"))
    return to


def numbers(folder: Path) -> dict[str, Any]:
    """What an undisturbed run gives, bit for bit: metrics.json without times, and all weights."""
    if not (folder / "results/metrics.json").is_file():
        return {}
    metrics = json.loads((folder / "results/metrics.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in metrics.items() if not key.endswith(TIMES) and "environment" not in key}
    weights = sorted((folder / "results").glob("**/*.safetensors"))
    return kept | {str(path.relative_to(folder)): artefacts.sha256(path) for path in weights}


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first keys whose values differ, for a person; empty if none do."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return f"{len(keys)} numbers differ: {', '.join(keys[:5])}" if keys else ""


def sentences(printed: str) -> list[str]:
    """The errors of jobs in what a run printed, one sentence each, and why a run did not begin."""
    lines = [line.strip() for line in printed.splitlines()]
    return [line for line in lines if " failed: " in line or line.startswith("The configuration cannot be run.")]
