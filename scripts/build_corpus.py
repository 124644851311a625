"""Build the corpus: labelled documents, split by document, and their manifest."""

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.text import corpus

    corpus.build_files(job.params.corpus, job.params.seed, job.threads, job.output.documents, job.output.manifest)


if __name__ == "__main__":
    run(main, snakemake)
