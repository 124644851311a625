"""Draw an intervention that the configuration names, and write it as a page."""

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import interventions, style
from scripts.monosem.reporting.intervention_page import page


def main(job: Job) -> None:
    document = artefacts.read_json(job.input.intervention)
    dose_response, loss_by_token = (path.removesuffix(".svg") for path in job.output.svg)
    style.save_figure(interventions.unit_dose_response(document), dose_response)
    style.save_figure(interventions.loss_by_token(document), loss_by_token)
    artefacts.write_text(page(job.wildcards["intervention"], document), job.output.page)


if __name__ == "__main__":
    run(main, snakemake)
