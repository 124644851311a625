"""Execute one notebook on results: jupytext source and parameters in, executed notebook and HTML out."""

from scripts.monosem.core import job
from scripts.monosem.reporting import notebooks


def main(source: str, parameters: dict, trace: str, path_to_notebook: str, path_to_html: str) -> None:
    notebooks.execute(source, parameters, trace)
    notebooks.publish(trace, path_to_notebook, path_to_html)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        source=snakemake.input.source,
        parameters=snakemake.params.parameters,
        trace=snakemake.log.notebook,
        path_to_notebook=snakemake.output.notebook,
        path_to_html=snakemake.output.html,
    )
