"""Collect every number of the run in one flat table of key, value, unit and source."""

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.reporting import values


def main(job: Job) -> None:
    table = values.collect(list(job.input.results))
    artefacts.write_json(table, job.output.metrics)
    say(f"{len(table):,} values from {len(job.input.results)} files")


if __name__ == "__main__":
    run(main, snakemake)
