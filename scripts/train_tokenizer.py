"""Train the tokenizer: documents in; tokenizer.json and tokenizer_config.json out."""

from scripts.monosem.core import job
from scripts.monosem.text import bpe


def main(documents: str, parameters: dict, threads: int, tokenizer: str, config: str) -> None:
    """Train a byte-level BPE on the train split."""
    bpe.train_tokenizer(documents, parameters["vocab_size"], tokenizer, config, threads)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.input.documents,
        snakemake.params.tokenizer,
        snakemake.threads,
        snakemake.output.tokenizer,
        snakemake.output.config,
    )
