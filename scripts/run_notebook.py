"""Execute one notebook on results: the executed notebook and its HTML."""

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.reporting import notebooks

    parameters = {name: notebooks.located(value, job.input.results) for name, value in job.params.parameters.items()}
    notebooks.execute(job.params.source, parameters, job.log.notebook)
    notebooks.publish(job.log.notebook, job.output.notebook, job.output.html)


if __name__ == "__main__":
    run(main, snakemake)
