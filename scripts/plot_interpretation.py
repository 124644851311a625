"""Draw the family of figures about single latents and neurons: planted contexts and token entropy."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import latents, style


def main(units: dict[str, str], contexts: str, histograms: str, control: str | None, figures: dict[str, str]) -> None:
    """`units` are interpretation.json files by model; contexts and histograms are those of the headline's run."""
    scored, arrays = artefacts.read_json(contexts)["contexts"], np.load(histograms)
    pairs = latents.pairs(scored, arrays)
    drawn = {
        "activation-by-label": latents.activation_histograms(pairs),
        "specificity": latents.specificity(scored),
        "precision-recall": latents.precision_recall(scored),
        "confusion": latents.confusion(scored),
        "token-entropy": latents.token_entropy(
            latents.entropies({name: artefacts.read_json(path) for name, path in units.items()}, control)
        ),
    }
    for name, path in figures.items():
        style.save_figure(drawn[name], path)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        units={Path(path).parts[2]: path for path in snakemake.input.units},
        contexts=snakemake.input.contexts,
        histograms=snakemake.input.histograms,
        control=snakemake.params.control,
        figures={Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
