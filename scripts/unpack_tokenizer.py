"""The tokenizer of the models that come with the checkout."""

import shutil

from scripts.monosem.core.job import Job, run
from scripts.monosem.models import shipped


def main(job: Job) -> None:
    for name, path in zip(shipped.TOKENIZER, (job.output.tokenizer, job.output.config), strict=True):
        shutil.copyfile(shipped.require(job.params.shipped["folder"], name), path)


if __name__ == "__main__":
    run(main, snakemake)
