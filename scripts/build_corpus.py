"""Build the corpus: one dict of parameters in; labelled, split documents and their manifest out."""

from scripts.monosem.core import job
from scripts.monosem.text import corpus


def main(parameters: dict, seed: int, threads: int, documents: str, manifest: str) -> None:
    """Read, normalise, split and plant what `parameters` (config.yaml's `corpus`) names."""
    corpus.build_files(parameters, seed, threads, documents, manifest)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.params.corpus,
        snakemake.params.seed,
        snakemake.threads,
        snakemake.output.documents,
        snakemake.output.manifest,
    )
