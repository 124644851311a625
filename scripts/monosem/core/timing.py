"""Time and memory of the jobs of a run, from their benchmarks and the last lines of each log."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

USED = re.compile(r"^used ([\d.]+) core-s$", re.M)
FINISHED = re.compile(r"^finished: ([\d.]+) s of work", re.M)


@dataclass(frozen=True)
class JobTime:
    """One finished job."""

    rule: str
    """Name of the rule."""
    name: str
    """Name of its benchmark without ending: values of its wildcards."""
    wall_s: float
    """Wall time, start-up included."""
    work_s: float | None
    """Of it, time within the script as its log says; None if the log does not say."""
    core_s: float
    """Processor time, start-up included; the wall time of a job whose log does not say."""
    peak_bytes: float | None
    """Largest resident memory; None if it was too short to be measured."""


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
    core_s: float
    """Processor time, start-up included."""
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


def _logged(pattern: re.Pattern[str], log: Path) -> float | None:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return float(match.group(1)) if (match := pattern.search(text)) else None


def job_times(benchmarks: Path, logs: Path) -> list[JobTime]:
    """Time and memory of every job, from `{benchmarks}/{rule}/{name}.tsv` and `{logs}/{rule}/{name}.log`.

    Snakemake's own `cpu_time` is not used: it is sampled, after the first 15 s twice a minute, and lacks the end.
    """
    jobs = []
    for path in sorted(benchmarks.glob("*/*.tsv")):
        row, log = _benchmark(path), logs / path.parent.name / f"{path.stem}.log"
        wall, peak, used = _number(row.get("s")) or 0.0, _number(row.get("max_rss")), _logged(USED, log)
        core, peak_bytes = wall if used is None else used, None if peak is None else 1e6 * peak
        jobs.append(JobTime(path.parent.name, path.stem, wall, _logged(FINISHED, log), core, peak_bytes))
    return jobs


def times(benchmarks: Path, logs: Path) -> list[RuleTime]:
    """Time and memory per rule, longest first."""
    by_rule: dict[str, list[JobTime]] = {}
    for job in job_times(benchmarks, logs):
        by_rule.setdefault(job.rule, []).append(job)
    rows = []
    for rule, jobs in by_rule.items():
        work = [job.work_s for job in jobs if job.work_s is not None]
        memory = [job.peak_bytes for job in jobs if job.peak_bytes is not None]
        wall, core = (sum(getattr(job, name) for job in jobs) for name in ("wall_s", "core_s"))
        rows.append(RuleTime(rule, len(jobs), wall, sum(work) if work else None, core, max(memory, default=None)))
    return sorted(rows, key=lambda row: -row.wall_s)


def document(results: Path) -> dict[str, Any]:
    """Times of a run as results/times.json has them: per rule, and together."""
    rows = times(results / "benchmarks", results / "logs")
    together = {name: sum(getattr(row, name) for row in rows) for name in ("jobs", "wall_s", "core_s")}
    return {"together": together, "rules": [asdict(row) for row in rows]}


def table(results: Path) -> str:
    """Lines for the end of a run: time per rule, start-up (interpreter, torch) beside work, and the reports' places."""
    rows = times(results / "benchmarks", results / "logs")
    named = [(row.rule, row.jobs, row.wall_s, row.work_s or 0.0, row.core_s) for row in rows]
    together = ("together", *(sum(row[column] for row in named) for column in (1, 2, 3, 4)))
    all_cores = max(together[4], 1e-9)
    lines = [f"{'rule':<26}{'jobs':>5}{'wall s':>9}{'work s':>9}{'start s':>9}{'core s':>9}{'share':>7}"]
    for rule, jobs, wall, work, core in [*named, together]:
        start = max(wall - work, 0.0)
        lines.append(f"{rule:<26}{jobs:>5}{wall:>9.1f}{work:>9.1f}{start:>9.1f}{core:>9.1f}{core / all_cores:>7.0%}")
    pages = {"The report": results / "report", "The toy chapter": results / "toy"}
    there = [f"{name}: {page}.html (and {page}.md)" for name, page in pages.items() if Path(f"{page}.html").exists()]
    return "\n".join([*lines, "", *there])
