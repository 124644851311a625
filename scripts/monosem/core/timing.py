"""What the jobs left behind about time and memory: benchmarks and the last line of each log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FINISHED = re.compile(r"^finished: ([\d.]+) s of work", re.M)


@dataclass(frozen=True)
class RuleTime:
    """All jobs of one rule together."""

    rule: str
    jobs: int  # finished jobs with a benchmark
    wall_s: float  # wall time, start-up of the interpreter included
    work_s: float | None  # of it, time within the script as its log says; None if no log tells
    peak_bytes: float | None  # largest resident memory of one job; None if too short to be measured


def _benchmark(path: Path) -> Mapping[str, str]:
    header, row = path.read_text(encoding="utf-8").splitlines()[:2]
    return dict(zip(header.split("\t"), row.split("\t"), strict=False))


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None  # Snakemake writes '-' or 'NA' for what it could not measure


def times(benchmarks: Path, logs: Path) -> list[RuleTime]:
    """Time and memory per rule, longest first, from `{benchmarks}/{rule}/…tsv` and `{logs}/{rule}/….log`."""
    rows = []
    for folder in sorted(path for path in benchmarks.glob("*") if path.is_dir()):
        jobs = [_benchmark(path) for path in sorted(folder.rglob("*.tsv"))]
        if not jobs:
            continue
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in (logs / folder.name).rglob("*.log")]
        work = [float(match.group(1)) for text in texts if (match := FINISHED.search(text))]
        memory = [1e6 * value for job in jobs if (value := _number(job.get("max_rss"))) is not None]
        wall = sum(_number(job.get("s")) or 0.0 for job in jobs)
        rows.append(RuleTime(folder.name, len(jobs), wall, sum(work) if work else None, max(memory, default=None)))
    return sorted(rows, key=lambda row: -row.wall_s)
