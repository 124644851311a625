"""Build the corpus: labelled documents, split by document, and their manifest."""

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.models import shipped
    from scripts.monosem.text import corpus, held_out

    listed = None
    if job.params.shipped:
        shipped.require(job.params.shipped["folder"], held_out.FILE)
        listed = held_out.load(job.params.shipped["folder"])
    output = job.output
    corpus.build_files(job.params.corpus, job.params.seed, job.threads, output.documents, output.manifest, listed)


if __name__ == "__main__":
    run(main, snakemake)
