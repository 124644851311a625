"""Draw an intervention that the configuration names, and write it as a page."""

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import interventions, style
from scripts.monosem.reporting.intervention_page import page


def main(name: str, intervention: str, dose_response: str, loss_by_token: str, path_to_page: str) -> None:
    """`dose_response` and `loss_by_token` are the figures' paths without a suffix."""
    document = artefacts.read_json(intervention)
    style.save_figure(interventions.unit_dose_response(document), dose_response)
    style.save_figure(interventions.loss_by_token(document), loss_by_token)
    artefacts.write_text(page(name, document), path_to_page)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.wildcards.intervention,
        snakemake.input.intervention,
        *(path.removesuffix(".svg") for path in snakemake.output.svg),
        snakemake.output.page,
    )
