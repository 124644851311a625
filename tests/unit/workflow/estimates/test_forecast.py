"""Progress of a run: the time left follows finished jobs, and a line that nobody reads hurts nobody."""

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scripts.monosem.workflow.estimates.forecast import TRUST_S, Forecast, Progress, about
from scripts.monosem.workflow.estimates.schedule import Job
from scripts.monosem.workflow.estimates.work import Machine, Work

MACHINE = Machine(cores=1, flops_per_s=1e9, all_flops_per_s=1e9)


def jobs(*rules: str, seconds: float = 100.0) -> list[Job]:
    return [Job(number, rule, Work(products=seconds * 1e9)) for number, rule in enumerate(rules)]


def test_without_finished_jobs_the_estimate_holds():
    forecast = Forecast(jobs("a", "a"), MACHINE)
    assert forecast.left_s(0.0) == pytest.approx(200.0)
    assert forecast.line(0.0) == "0 of 2 jobs, 0% of the work, about 3 min left"


def test_jobs_of_a_rule_that_took_twice_as_long_make_the_others_longer():
    forecast = Forecast(jobs("a", "a", "b"), MACHINE)
    forecast.took[0] = 200.0
    overall = (200 + TRUST_S) / (100 + TRUST_S)
    of_rule = (200 + TRUST_S * overall) / (100 + TRUST_S)
    assert forecast.left_s(0.0) == pytest.approx(100 * of_rule + 100 * overall)
    assert 1 < overall < of_rule < 2


def test_what_a_running_job_has_behind_it_is_not_left():
    forecast = Forecast(jobs("a", "a"), MACHINE, started={1: 0.0})
    assert forecast.left_s(40.0) == pytest.approx(160.0)


def test_a_job_that_outlasts_its_estimate_still_counts_a_little():
    forecast = Forecast(jobs("a"), MACHINE, started={0: 0.0})
    assert forecast.left_s(1000.0) == pytest.approx(5.0)


def test_the_last_line_names_no_time():
    forecast = Forecast(jobs("a"), MACHINE, took={0: 90.0})
    assert forecast.line(0.0) == "1 of 1 jobs, 100% of the work"


def record(event: str, **fields) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", logging.INFO, "", 0, None, None, None)
    made.event = SimpleNamespace(value=event)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_events_of_snakemake_are_followed():
    lines, now = [], [0.0]
    progress = Progress(Forecast(jobs("a", "a", "a"), MACHINE), lines.append, clock=lambda: now[0])
    for second, event in (
        (0, record("job_started", jobs=[0, 1])),
        (2, record("job_finished", job_id=0)),
        (50, record("job_finished", job_id=1)),
        (51, record("progress", done=2, total=3)),
        (52, record("job_finished", job_id=99)),
        (60, record("job_started", jobs=[2])),
        (61, record("job_finished", job_id=2)),
    ):
        now[0] = float(second)
        progress.handle(event)
    assert [line.split(",")[0] for line in lines] == ["2 of 3 jobs", "3 of 3 jobs"]  # not more often than every 10 s
    assert progress.forecast.took == {0: 2.0, 1: 50.0, 2: 1.0}


def test_the_names_of_the_events_are_those_of_snakemake():
    from snakemake_interface_logger_plugins.common import LogEvent

    assert {LogEvent.JOB_STARTED.value, LogEvent.JOB_FINISHED.value} == {"job_started", "job_finished"}


def test_a_closed_terminal_is_no_error():
    code = (
        "import os; from scripts.monosem.workflow.estimates.forecast import write_line; os.close(2); write_line('left')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "10 s"), (37, "40 s"), (200, "3 min"), (3550, "59 min"), (4000, "1 h 7 min")]
)
def test_durations_are_as_exact_as_an_estimate(seconds, text):
    assert about(seconds) == text
