"""Progress of a run and the time that is left, corrected by the jobs that have finished."""

import logging
import os
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from scripts.monosem.core.job import duration
from scripts.monosem.workflow.estimates import schedule
from scripts.monosem.workflow.estimates.work import Machine

TRUST_S = 30.0
"""Estimated seconds of finished jobs from which measured times outweigh the estimates."""


@dataclass
class Forecast:
    """Planned jobs of a run, of which some have finished."""

    jobs: Sequence[schedule.Job]
    """All of them."""
    machine: Machine
    """Where they run."""
    nodes: int = 1
    """Machines like this."""
    started: dict[Hashable, float] = field(default_factory=dict)
    """Key -> second at which the job started."""
    took: dict[Hashable, float] = field(default_factory=dict)
    """Key -> wall seconds of the jobs that have finished."""

    def __post_init__(self) -> None:
        self.estimated = schedule.durations(self.jobs, self.machine)
        self.rules = {job.key: job.rule for job in self.jobs}

    def corrected(self) -> dict[Hashable, float]:
        """Key -> wall seconds, by what finished jobs took beside their estimates.

        All jobs are scaled by a factor of the run, and those of a rule by one of the rule; each factor is the ratio of
        measured to estimated seconds of finished jobs, to which TRUST_S as estimated are added.
        """
        overall = self._factor([*self.took], 1.0)
        by_rule = {}
        for rule in set(self.rules.values()):
            by_rule[rule] = self._factor([key for key in self.took if self.rules[key] == rule], overall)
        return {key: by_rule[self.rules[key]] * seconds for key, seconds in self.estimated.items()}

    def _factor(self, keys: list[Hashable], before: float) -> float:
        measured, estimated = sum(self.took[key] for key in keys), sum(self.estimated[key] for key in keys)
        return (measured + TRUST_S * before) / (estimated + TRUST_S)

    def left_s(self, now: float) -> float:
        """Seconds until the last job ends, if what is running goes on."""
        seconds = self.corrected()
        for key, began in self.started.items():
            if key not in self.took and key in seconds:
                seconds[key] = max(seconds[key] - (now - began), 0.05 * seconds[key])
        order = sorted(self.jobs, key=lambda job: job.key not in self.started)  # running ones keep their cores
        left = schedule.without(order, set(self.took))
        return schedule.simulate(left, seconds, self.nodes, self.machine.cores).makespan_s

    def line(self, now: float) -> str:
        """`12 of 107 jobs, 31 % of the work, about 14 min left`."""
        seconds = self.corrected()
        share = sum(seconds[key] for key in self.took) / max(sum(seconds.values()), 1e-9)
        done = f"{len(self.took)} of {len(self.jobs)} jobs, {share:.0%} of the work"
        return done if len(self.took) == len(self.jobs) else f"{done}, about {about(self.left_s(now))} left"


def about(seconds: float) -> str:
    """A duration as exactly as an estimate is: 37 -> '40 s', 200 -> '3 min', 4000 -> '1 h 7 min'."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else duration(60 * round(seconds / 60))


def write_line(text: str) -> None:
    """A line on stderr; nothing if nobody can read it."""
    try:
        os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


class Progress(logging.Handler):
    """Follows the events of Snakemake's logger and writes a line at most every `every_s` seconds, and at the end."""

    def __init__(
        self, forecast: Forecast, write: Callable[[str], None] = write_line, every_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        super().__init__()
        self.forecast, self.write, self.every_s, self.clock = forecast, write, every_s, clock
        self.last = clock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take in the start or the end of jobs; other records say nothing here."""
        event, now = getattr(getattr(record, "event", None), "value", None), self.clock()
        if event == "job_started":
            self.forecast.started |= dict.fromkeys(getattr(record, "jobs", None) or (), now)
        elif event == "job_finished":
            self._finish(record.job_id, now)

    def _finish(self, key: Hashable, now: float) -> None:
        forecast = self.forecast
        if key not in forecast.rules or key in forecast.took:
            return
        forecast.took[key] = now - forecast.started.get(key, now)
        if now - self.last >= self.every_s or len(forecast.took) == len(forecast.jobs):
            self.last = now
            self.write(forecast.line(now))
