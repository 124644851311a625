"""Gather every number of the run: JSON results in, one flat table of key, value, unit and source out."""

from scripts.monosem.core import artefacts, job
from scripts.monosem.reporting import values


def main(results: list[str], path_to_metrics: str) -> None:
    table = values.collect(results)
    artefacts.write_json(table, path_to_metrics)
    job.say(f"{len(table):,} values from {len(results)} files")


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(results=list(snakemake.input.results), path_to_metrics=snakemake.output.metrics)
