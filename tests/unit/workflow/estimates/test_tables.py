"""Tables of costs: totals, and measured times beside the estimate."""

from scripts.monosem.core.timing import RuleTime
from scripts.monosem.workflow.estimates import paper_scale, tables
from scripts.monosem.workflow.estimates.schedule import Job
from scripts.monosem.workflow.estimates.work import PYTHON_BYTES, Machine, Work

MACHINE = Machine(cores=2, flops_per_s=1e9, all_flops_per_s=2e9)


def job(key: int, rule: str, seconds: float, memory: float, *needs: int) -> Job:
    return Job(key, rule, Work(products=seconds * 1e9, memory_bytes=memory, disk_bytes=1e9), needs=frozenset(needs))


JOBS = [job(0, "train_sae", 40.0, 1e9), job(1, "train_sae", 20.0, 2e9), job(2, "plot_toy", 10.0, 3e9, 0, 1)]


def test_a_run_costs_the_sum_of_its_jobs_and_the_wall_time_of_its_schedule():
    cost = tables.together(JOBS, MACHINE)
    assert (cost.jobs, cost.core_s, cost.wall_s, cost.disk_bytes) == (3, 70.0, 50.0, 3e9)
    assert cost.memory_bytes == PYTHON_BYTES + 5e9  # the two largest of two cores
    assert tables.sentence(cost, MACHINE).startswith(
        "3 jobs, about 50 s (0.02 core-hours), up to 5.3 GB of memory and 3.0 GB of disk; 2 core(s)"
    )


def test_rules_come_dearest_first():
    rows = tables.by_rule(JOBS, MACHINE)
    assert [(row.rule, row.jobs, row.core_s, row.longest_s) for row in rows] == [
        ("train_sae", 2, 60.0, 40.0), ("plot_toy", 1, 10.0, 10.0),
    ]  # fmt: skip


def test_measured_times_are_beside_the_estimate_where_as_many_jobs_have_finished():
    measured = [
        RuleTime("train_sae", 2, 80.0, 70.0, 75.0, None),
        RuleTime("plot_toy", 2, 20.0, None, 24.5, None),
        RuleTime("collect_metrics", 1, 0.5, None, 0.5, None),
    ]
    assert tables.compared(measured, JOBS, MACHINE).splitlines()[2:] == [
        "| train_sae | 2 | 75 | 75% | 10 | 60 |",
        "| plot_toy | 2 | 24 | 24% | – | – |",
        "| 1 others | 1 | 0 | 0% | 0 | 0 |",
        "| **together** | 5 | 100 | 100% | 10 | 70 |",
    ]


def test_the_paper_needs_more_disk_than_the_store_has():
    """8 billion vectors of 512 float16 and a position of two bytes are 8.208 TB; 770 GB hold 750 million."""
    assert paper_scale.stored_rows() == 750_487_329
    wide, narrow = (paper_scale.autoencoder(MACHINE, "topk", width) for width in (131_072, 4096))
    assert wide.weights_bytes == 4 * (2 * 512 + 2) * 131_072
    assert 30 < wide.core_hours / narrow.core_hours < 32.1
    assert "8208.0 GB" in paper_scale.table(MACHINE)
