"""Tables of what a run takes, for the terminal and for documentation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.monosem.core.artefacts import human_bytes
from scripts.monosem.core.timing import RuleTime
from scripts.monosem.workflow.estimates import schedule
from scripts.monosem.workflow.estimates.forecast import about
from scripts.monosem.workflow.estimates.work import PYTHON_BYTES, Machine


@dataclass(frozen=True)
class RuleCost:
    """All planned jobs of a rule together."""

    rule: str
    """Name of the rule."""
    jobs: int
    """Number of jobs."""
    core_s: float
    """Core-seconds on the machine."""
    longest_s: float
    """Core-seconds of the longest job."""
    memory_bytes: float
    """Peak memory of the largest job."""
    disk_bytes: float
    """Outputs of all."""


@dataclass(frozen=True)
class RunCost:
    """Time, memory and disk of a run on some nodes."""

    jobs: int
    """Number of jobs."""
    core_s: float
    """Core-seconds."""
    wall_s: float
    """Predicted wall time."""
    memory_bytes: float
    """Most memory of the jobs that run at once on a node, if the largest meet."""
    disk_bytes: float
    """Outputs of all jobs."""


def by_rule(jobs: Sequence[schedule.Job], machine: Machine) -> list[RuleCost]:
    """Cost per rule, dearest first."""
    rules: dict[str, list[schedule.Job]] = {}
    for job in jobs:
        rules.setdefault(job.rule, []).append(job)
    rows = []
    for rule, members in rules.items():
        seconds = [job.work.seconds(machine) for job in members]
        memory, disk = max(job.work.memory_bytes for job in members), sum(job.work.disk_bytes for job in members)
        rows.append(RuleCost(rule, len(members), sum(seconds), max(seconds), memory, disk))
    return sorted(rows, key=lambda row: -row.core_s)


def together(jobs: Sequence[schedule.Job], machine: Machine, nodes: int = 1) -> RunCost:
    """Cost of the run, with the wall time of a simulated schedule."""
    planned = schedule.simulate(jobs, schedule.durations(jobs, machine), nodes, machine.cores)
    largest = sorted((job.work.memory_bytes for job in jobs), reverse=True)[: machine.cores]
    rows = by_rule(jobs, machine)
    return RunCost(
        len(jobs), sum(row.core_s for row in rows), planned.makespan_s, PYTHON_BYTES + sum(largest),
        sum(row.disk_bytes for row in rows),
    )  # fmt: skip


def rates(machine: Machine) -> str:
    """The machine in words."""
    fast = "fast" if machine.bfloat16 else "no fast"
    return (
        f"{machine.cores} core(s), float32 product {machine.flops_per_s / 1e9:.0f} GFLOP/s on one and "
        f"{machine.all_flops_per_s / 1e9:.0f} on all, {fast} bfloat16"
    )


def sentence(cost: RunCost, machine: Machine, nodes: int = 1) -> str:
    """The cost of a run on one line."""
    where = rates(machine) if nodes == 1 else f"{nodes} nodes, each with {rates(machine)}"
    return (
        f"{cost.jobs} jobs, about {about(cost.wall_s)} ({cost.core_s / 3600:.2f} core-hours), up to "
        f"{human_bytes(cost.memory_bytes)} of memory and {human_bytes(cost.disk_bytes)} of disk; {where}"
    )


def table(jobs: Sequence[schedule.Job], machine: Machine) -> str:
    """Cost per rule as aligned text."""
    rows = by_rule(jobs, machine)
    total = max(sum(row.core_s for row in rows), 1e-9)
    lines = [f"{'rule':<26}{'jobs':>6}{'core min':>10}{'share':>7}{'longest min':>13}{'memory':>10}{'disk':>10}"]
    for row in rows:
        lines.append(
            f"{row.rule:<26}{row.jobs:>6}{row.core_s / 60:>10.1f}{row.core_s / total:>7.0%}{row.longest_s / 60:>13.1f}"
            f"{human_bytes(row.memory_bytes):>10}{human_bytes(row.disk_bytes):>10}"
        )
    return "\n".join(lines)


def compared(measured: Sequence[RuleTime], jobs: Sequence[schedule.Job], machine: Machine) -> str:
    """Measured core-seconds per rule beside the estimate, as Markdown; rules of less than a hundredth together.

    A rule whose finished jobs are not as many as planned is not compared.
    """
    estimated = {row.rule: row for row in by_rule(jobs, machine)}
    total = max(sum(row.core_s for row in measured), 1e-9)
    lines = ["| rule | jobs | core-s | share | start-up, s | estimated core-s |", "|---|---|---|---|---|---|"]
    small: list[RuleTime] = []
    for row in sorted(measured, key=lambda row: -row.core_s):
        if row.core_s < 0.01 * total:
            small.append(row)
            continue
        cost = estimated.get(row.rule)
        guess = f"{cost.core_s:,.0f}" if cost and cost.jobs == row.jobs else "–"
        start = "–" if row.work_s is None else f"{max(row.wall_s - row.work_s, 0.0):,.0f}"
        lines.append(f"| {row.rule} | {row.jobs} | {row.core_s:,.0f} | {row.core_s / total:.0%} | {start} | {guess} |")
    for name, rows in ((f"{len(small)} others", small), ("**together**", measured)):
        core_s, count = sum(row.core_s for row in rows), sum(row.jobs for row in rows)
        start = sum(max(row.wall_s - (row.work_s or row.wall_s), 0.0) for row in rows)
        guess = sum(estimated[row.rule].core_s for row in rows if row.rule in estimated)
        lines.append(f"| {name} | {count} | {core_s:,.0f} | {core_s / total:.0%} | {start:,.0f} | {guess:,.0f} |")
    return "\n".join(lines)


def document(cost: RunCost, machine: Machine) -> dict[str, Any]:
    """The prediction as results/times.json has it."""
    return {
        "jobs": cost.jobs, "core_s": cost.core_s, "wall_s": cost.wall_s, "memory_bytes": cost.memory_bytes,
        "disk_bytes": cost.disk_bytes,
        "machine": {
            "cores": machine.cores, "flops_per_s": machine.flops_per_s, "all_flops_per_s": machine.all_flops_per_s,
            "slowness": machine.slowness, "bfloat16": machine.bfloat16,
        },
    }  # fmt: skip
