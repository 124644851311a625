"""Jobs on nodes: list scheduling over the graph of jobs, as Snakemake does it."""

import heapq
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from scripts.monosem.workflow.estimates.work import Machine, Work


@dataclass(frozen=True)
class Job:
    """A planned job."""

    key: Hashable
    """Names it among the others."""
    rule: str
    """Name of its rule."""
    work: Work
    """Its work."""
    threads: int = 1
    """Cores that it occupies."""
    needs: frozenset[Hashable] = frozenset()
    """Keys of the jobs whose outputs it reads; those that are not planned are done."""
    priority: int = 0
    """Of its rule: ready jobs of higher priority start first."""


@dataclass(frozen=True)
class Schedule:
    """When jobs run."""

    ends: Mapping[Hashable, float]
    """Key -> second at which it ends."""
    busy_s: float
    """Cores times seconds that are occupied."""

    @property
    def makespan_s(self) -> float:
        """Second at which the last job ends."""
        return max(self.ends.values(), default=0.0)


class Unschedulable(ValueError):
    """The jobs wait for one another in a circle."""


def durations(jobs: Sequence[Job], machine: Machine) -> dict[Hashable, float]:
    """Key -> wall seconds of each job on the machine."""
    return {job.key: job.work.seconds(machine) / job.threads for job in jobs}


def simulate(
    jobs: Sequence[Job], seconds: Mapping[Hashable, float], nodes: int, cores: int, jobs_at_once: int | None = None
) -> Schedule:
    """Start every ready job as soon as a node has its cores free: by priority, then in the order of `jobs`.

    A job that asks for more threads than a node has cores gets all of them, as in Snakemake, and takes as long.
    A list schedule ends at most (2 − 1 / m) times as late as the best one on m cores (Graham 1969, jobs of one thread).
    Args:
        seconds: key -> wall seconds.
        jobs_at_once: most jobs that run at a time; None: no limit.
    Raises: Unschedulable.
    """
    planned = {job.key: job for job in jobs}
    waiting = {job.key: {key for key in job.needs if key in planned} for job in jobs}
    dependents: dict[Hashable, list[Hashable]] = {key: [] for key in planned}
    for key, needs in waiting.items():
        for need in needs:
            dependents[need].append(key)
    order = {job.key: (-job.priority, position) for position, job in enumerate(jobs)}
    ready = sorted((key for key, needs in waiting.items() if not needs), key=order.__getitem__)
    free, running, ends, now, busy = [cores] * nodes, [], {}, 0.0, 0.0
    while ready or running:
        left = []
        for key in ready:
            threads = min(planned[key].threads, cores)
            node = max(range(nodes), key=free.__getitem__)
            if free[node] < threads or (jobs_at_once is not None and len(running) >= jobs_at_once):
                left.append(key)
                continue
            free[node] -= threads
            ends[key] = now + seconds[key]
            busy += threads * seconds[key]
            heapq.heappush(running, (ends[key], order[key], key, node, threads))
        now, _, key, node, threads = heapq.heappop(running)
        free[node] += threads
        for dependent in dependents[key]:
            waiting[dependent].discard(key)
            if not waiting[dependent]:
                left.append(dependent)
        ready = sorted(left, key=order.__getitem__)
    if len(ends) < len(planned):
        raise Unschedulable(f"{len(planned) - len(ends)} jobs wait for one another")
    return Schedule(ends, busy)


def without(jobs: Sequence[Job], finished: set[Hashable]) -> list[Job]:
    """The jobs that are left, in the same order, each without its finished needs."""
    return [replace(job, needs=job.needs - finished) for job in jobs if job.key not in finished]
