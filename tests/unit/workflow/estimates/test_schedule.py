"""List scheduling over a graph of jobs: known optima, bounds that every list schedule keeps, and circles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.workflow.estimates.schedule import Job, Unschedulable, simulate, without
from scripts.monosem.workflow.estimates.work import Work


def job(key, *needs, threads=1, priority=0) -> Job:
    return Job(key, "rule", Work(), threads, frozenset(needs), priority)


def test_a_graph_made_by_hand_ends_at_its_optimum():
    """Two chains cross: 3 + 2 on one core, 2 + 3 on the other; the sum is 10, so that 5 is the least on two cores."""
    jobs = [job("a"), job("b"), job("c", "a"), job("d", "b")]
    planned = simulate(jobs, {"a": 3.0, "b": 2.0, "c": 2.0, "d": 3.0}, nodes=1, cores=2)
    assert planned.makespan_s == 5.0 and planned.busy_s == 10.0
    assert planned.ends == {"a": 3.0, "b": 2.0, "c": 5.0, "d": 5.0}


def test_what_waits_for_everything_comes_last():
    jobs = [job(0), job(1), job(2), job("report", 0, 1, 2)]
    seconds = {0: 4.0, 1: 4.0, 2: 4.0, "report": 1.0}
    assert simulate(jobs, seconds, nodes=1, cores=2).makespan_s == 9.0
    assert simulate(jobs, seconds, nodes=3, cores=1).makespan_s == 5.0


def test_a_job_of_two_threads_waits_for_two_cores_of_one_node():
    jobs = [job("single"), job("double", threads=2)]
    seconds = {"single": 1.0, "double": 2.0}
    assert simulate(jobs, seconds, nodes=1, cores=2).makespan_s == 3.0
    assert simulate(jobs, seconds, nodes=2, cores=2).makespan_s == 2.0
    assert simulate([job("double", threads=2)], seconds, nodes=2, cores=1).makespan_s == 2.0


def test_priority_goes_before_order():
    jobs = [job("first"), job("urgent", priority=1), job("next", "urgent")]
    planned = simulate(jobs, {"first": 1.0, "urgent": 1.0, "next": 5.0}, nodes=1, cores=1)
    assert planned.ends["urgent"] == 1.0


def test_no_more_jobs_at_once_than_allowed():
    jobs = [job(number) for number in range(4)]
    assert simulate(jobs, dict.fromkeys(range(4), 1.0), nodes=4, cores=4, jobs_at_once=2).makespan_s == 2.0


def test_needs_that_are_not_planned_are_done():
    assert simulate([job("a", "made before")], {"a": 1.0}, nodes=1, cores=1).makespan_s == 1.0


def test_nothing_to_do_takes_no_time():
    assert simulate([], {}, nodes=1, cores=1).makespan_s == 0.0


def test_a_circle_is_an_error():
    with pytest.raises(Unschedulable, match="2 jobs wait for one another"):
        simulate([job("a", "b"), job("b", "a")], {"a": 1.0, "b": 1.0}, nodes=1, cores=1)


def test_finished_jobs_are_taken_out():
    [left] = without([job("a"), job("b", "a")], {"a"})
    assert (left.key, left.needs) == ("b", frozenset())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 9.0), st.sets(st.integers(0, 14), max_size=3)), min_size=1, max_size=15),
    st.integers(1, 4),
)
def test_every_schedule_keeps_to_the_bounds_of_graham(graph, cores):
    """Work / cores and the longest chain from below; their sum from above (Graham 1969)."""
    jobs = [job(number, *(need for need in needs if need < number)) for number, (_, needs) in enumerate(graph)]
    seconds = {number: duration for number, (duration, _) in enumerate(graph)}
    chains: dict[int, float] = {}
    for each in jobs:
        chains[each.key] = seconds[each.key] + max((chains[need] for need in each.needs), default=0.0)
    planned, longest, total = simulate(jobs, seconds, 1, cores), max(chains.values()), sum(seconds.values())
    assert planned.makespan_s >= max(longest, total / cores) - 1e-9
    assert planned.makespan_s <= total / cores + (1 - 1 / cores) * longest + 1e-9
    starts = {each.key: planned.ends[each.key] - seconds[each.key] for each in jobs}
    assert all(starts[each.key] >= planned.ends[need] - 1e-9 for each in jobs for need in each.needs)
