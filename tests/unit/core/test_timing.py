"""The times of a run: per rule, from benchmarks and logs."""

from scripts.monosem.core import timing


def test_the_table_has_work_and_start_up_of_every_rule(tmp_path):
    for rule, wall, work in (("train_sae", 5.0, 3.0), ("plot_toy", 1.5, None)):
        for part in ("benchmarks", "logs"):
            (tmp_path / part / rule).mkdir(parents=True)
        (tmp_path / "benchmarks" / rule / "a.tsv").write_text(f"s\tmax_rss\n{wall}\t-\n")
        (tmp_path / "logs" / rule / "a.log").write_text(
            f"{rule}\nfinished: {work} s of work\n" if work else f"{rule}\n"
        )
    (tmp_path / "report.html").touch()
    assert timing.table(tmp_path).splitlines() == [
        "rule                       jobs   wall s   work s  start s",
        "train_sae                     1      5.0      3.0      2.0",
        "plot_toy                      1      1.5      0.0      1.5",
        "together                      2      6.5      3.0      3.5",
        "",
        f"The report: {tmp_path}/report.html (and {tmp_path}/report.md)",
    ]
