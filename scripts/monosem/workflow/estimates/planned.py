"""The jobs that Snakemake has planned, with their work, and what a scheduler is asked for."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.workflow import plan as plans
from scripts.monosem.workflow.estimates.rules import work_of
from scripts.monosem.workflow.estimates.schedule import Job
from scripts.monosem.workflow.estimates.work import SLOW

LEAST_MB = 1000
"""Least memory that is asked for."""
LEAST_MINUTES = 20
"""Least time that is asked for: queues, file systems and caches cost minutes that no estimate knows."""
SPARE = 1.5
"""Memory and time are asked for with this reserve, and again as much on every further attempt."""


def jobs(dag: Any, config: plans.Config, plan: plans.Plan) -> list[Job]:
    """Jobs of a Snakemake DAG that have to run, in its order, by the number that its log messages name."""
    wanted = list(dag.needrun_jobs(exclude_finished=False))
    return [
        Job(
            key=dag.jobid(job),
            rule=job.rule.name,
            work=work_of(config, plan, job.rule.name, dict(job.wildcards_dict)),
            threads=job.threads,
            needs=frozenset(dag.jobid(needed) for needed in dag.dependencies[job]),
            priority=job.priority,
        )
        for job in wanted
        if not job.rule.norun  # targets such as `all`
    ]


def request(
    config: plans.Config, plan: plans.Plan, rule: str, wildcards: Mapping[str, str], attempt: int
) -> dict[str, int]:
    """Megabytes of memory, minutes and megabytes of disk to ask a batch system for.

    Time is that of a slow core (SLOW), so that the request is the same on every machine.
    """
    work = work_of(config, plan, rule, wildcards)
    minutes = work.seconds(SLOW) / 60
    return {
        "mem_mb": max(LEAST_MB, round(SPARE * attempt * work.memory_bytes / 1e6)),
        "runtime": max(LEAST_MINUTES, round(SPARE * attempt * minutes)),
        "disk_mb": max(LEAST_MB, round(SPARE * attempt * work.disk_bytes / 1e6)),
    }
