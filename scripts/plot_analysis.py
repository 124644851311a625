"""Draw the figures of representations, sets of prompts and pinned context latents."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import interventions, prompts, representations, style
from scripts.monosem.workflow import outputs_analysis


def figures_of_sae(path: Path) -> dict[str, Callable]:
    """Name -> how to draw it, of the prompts.json or interventions.json of one autoencoder."""
    document, stem = artefacts.read_json(path), outputs_analysis.figure_stem(path.parts[-4:-1])
    if path.stem == "interventions":
        return {
            f"{stem}-dose-response": partial(interventions.dose_response, document),
            f"{stem}-ablation": partial(interventions.ablation, document),
        }
    with np.load(path.with_suffix(".npz")) as stored:
        return {
            f"{stem}-dots": partial(prompts.dots, document, dict(stored)),
            f"{stem}-ranking": partial(prompts.ranking, document),
        }


def figures_of_model(folder: Path) -> dict[str, Callable]:
    """Name -> how to draw it, of the comparison of one model's representations."""
    parts = {part: artefacts.read_json(folder / f"{part}.json") for part in outputs_analysis.PARTS}
    with np.load(folder / "arrays.npz") as stored:
        drawn = representations.figures(parts, dict(stored))
    return {f"{folder.name}-{name}": draw for name, draw in drawn.items()}


def main(job: Job) -> None:
    """Results and arrays are in a folder per model, within it in one per site and run."""
    of_saes = [path for path in map(Path, job.input.results) if path.stem not in outputs_analysis.PARTS]
    of_models = [path.parent for path in map(Path, job.input.arrays) if path.stem == "arrays"]
    drawn = [*map(figures_of_sae, of_saes), *map(figures_of_model, of_models)]
    style.save_figures({name: draw for figures in drawn for name, draw in figures.items()}, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
