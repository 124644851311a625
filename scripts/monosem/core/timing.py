"""Time and memory of the jobs of a run, from their benchmarks and the last line of each log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FINISHED = re.compile(r"^finished: ([\d.]+) s of work", re.M)


@dataclass(frozen=True)
class RuleTime:
    """All jobs of one rule together."""

    rule: str
    """Name of the rule."""
    jobs: int
    """Finished jobs with a benchmark."""
    wall_s: float
    """Wall time, start-up included."""
    work_s: float | None
    """Of it, time within the scripts as their logs say; None if no log says."""
    peak_bytes: float | None
    """Largest resident memory of one job; None if all were too short to be measured."""


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


def table(results: Path) -> str:
    """Lines for the end of a run: time per rule, start-up (interpreter, torch) beside work, and the reports' places."""
    rows = times(results / "benchmarks", results / "logs")
    named = [(row.rule, row.jobs, row.wall_s, row.work_s or 0.0) for row in rows]
    together = ("together", *(sum(row[column] for row in named) for column in (1, 2, 3)))
    lines = [f"{'rule':<26}{'jobs':>5}{'wall s':>9}{'work s':>9}{'start s':>9}"]
    for rule, jobs, wall, work in [*named, together]:
        lines.append(f"{rule:<26}{jobs:>5}{wall:>9.1f}{work:>9.1f}{max(wall - work, 0.0):>9.1f}")
    pages = {"The report": results / "report", "The toy chapter": results / "toy"}
    there = [f"{name}: {page}.html (and {page}.md)" for name, page in pages.items() if Path(f"{page}.html").exists()]
    return "\n".join([*lines, "", *there])
