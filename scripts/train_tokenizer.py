"""Train a byte-level BPE on the train split: tokenizer.json and tokenizer_config.json."""

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.text import bpe

    vocab_size = job.params.tokenizer["vocab_size"]
    bpe.train_tokenizer(job.input.documents, vocab_size, job.output.tokenizer, job.output.config, job.threads)


if __name__ == "__main__":
    run(main, snakemake)
