"""Encode the corpus with one tokenizer: token shards with labels and boundaries, and their manifest."""

from pathlib import Path

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.text import tokens

    tokens.tokenize_corpus(job.input.documents, job.input.tokenizer, Path(job.output.manifest).parent, job.threads)


if __name__ == "__main__":
    run(main, snakemake)
