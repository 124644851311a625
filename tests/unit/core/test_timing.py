"""The times of a run: per rule, from benchmarks and logs."""

from pathlib import Path

import pytest

from scripts.monosem.core import timing


def write_job(results: Path, rule: str, name: str, wall_s: float, *log: str) -> None:
    for part, text in (("benchmarks", f"s\tmax_rss\n{wall_s}\t-\n"), ("logs", "\n".join([rule, *log, ""]))):
        ending = {"benchmarks": "tsv", "logs": "log"}[part]
        (results / part / rule).mkdir(parents=True, exist_ok=True)
        (results / part / rule / f"{name}.{ending}").write_text(text)


@pytest.fixture
def results(tmp_path) -> Path:
    write_job(tmp_path, "train_sae", "a_blocks.0_b", 5.0, "used 6.0 core-s", "finished: 3.0 s of work")
    write_job(tmp_path, "plot_toy", "a", 2.0)
    (tmp_path / "report.html").touch()
    return tmp_path


def test_the_table_has_work_start_up_and_core_seconds_of_every_rule(results):
    assert timing.table(results).splitlines() == [
        "rule                       jobs   wall s   work s  start s   core s  share",
        "train_sae                     1      5.0      3.0      2.0      6.0    75%",
        "plot_toy                      1      2.0      0.0      2.0      2.0    25%",
        "together                      2      7.0      3.0      4.0      8.0   100%",
        "",
        f"The report: {results}/report.html (and {results}/report.md)",
    ]


def test_the_document_has_the_same_numbers(results):
    document = timing.document(results)
    assert document["together"] == {"jobs": 2, "wall_s": 7.0, "core_s": 8.0}
    assert [(row["rule"], row["core_s"]) for row in document["rules"]] == [("train_sae", 6.0), ("plot_toy", 2.0)]


def test_a_job_whose_log_says_nothing_counts_with_its_wall_time(results):
    trained, plotted = sorted(timing.job_times(results / "benchmarks", results / "logs"), key=lambda job: -job.wall_s)
    assert (trained.name, trained.core_s, trained.work_s) == ("a_blocks.0_b", 6.0, 3.0)
    assert (plotted.core_s, plotted.work_s) == (2.0, None)
