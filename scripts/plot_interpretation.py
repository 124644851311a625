"""Draw the figures of single latents and neurons: planted contexts and token entropy."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import cases, latents, style, unit_scores


def main(job: Job) -> None:
    """Units come from results/evaluation/{model}/…; contexts and histograms are those of the headline's run."""
    units = {Path(artefacts.below_results(path)).parts[1]: artefacts.read_json(path) for path in job.input.units}
    scored, histograms = artefacts.read_json(job.input.contexts)["contexts"], np.load(job.input.histograms)
    scores = next(map(artefacts.read_json, job.input.scores), None)
    arrays = next((dict(np.load(path)) for path in job.input.units_scored), {})
    studied = artefacts.read_json(job.input.cases)
    drawn = {
        "cases": lambda: cases.correlations(studied),
        "unseen-text": lambda: cases.unseen_text(studied),
        "activation-by-label": lambda: latents.activation_histograms(latents.pairs(scored, histograms)),
        "specificity": lambda: latents.specificity(scored),
        "precision-recall": lambda: latents.precision_recall(scored),
        "confusion": lambda: latents.confusion(scored),
        "scores": lambda: unit_scores.populations(scores, arrays),
        "scores-by-interval": lambda: unit_scores.by_interval(scores),
        "token-entropy": lambda: latents.token_entropy(latents.entropies(units, job.params.control)),
    }
    style.save_figures(drawn, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
