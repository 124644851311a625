"""Tokenize the corpus: documents and a tokenizer in; token shards with labels and boundaries, and a manifest out."""

from pathlib import Path

from scripts.monosem.core import job
from scripts.monosem.text import tokens


def main(documents: str, tokenizer: str, threads: int, manifest: str) -> None:
    """Write the shards of all splits beside `manifest`."""
    tokens.tokenize_corpus(documents, tokenizer, Path(manifest).parent, threads)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.input.documents, snakemake.input.tokenizer, snakemake.threads, snakemake.output.manifest)
