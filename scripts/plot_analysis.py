"""Draw the family of figures about what activations show."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import interventions, prompts, representations, style
from scripts.monosem.workflow import outputs_analysis


def main(results: list[str], arrays: list[str], figures: dict[str, str]) -> None:
    """`figures` are named `{model}-{figure}`; results and arrays lie in a folder per model."""
    for path in (Path(path) for path in results if path.endswith("interventions.json")):
        document, stem = artefacts.read_json(path), outputs_analysis.figure_stem(path.parts[-4:-1])
        style.save_figure(interventions.dose_response(document), figures[f"{stem}-dose-response"])
        style.save_figure(interventions.ablation(document), figures[f"{stem}-ablation"])
    for path in map(Path, arrays):
        if path.stem == "prompts":
            document, stem = (
                artefacts.read_json(path.with_suffix(".json")),
                outputs_analysis.figure_stem(path.parts[-4:-1]),
            )
            with np.load(path) as stored:
                style.save_figure(prompts.dots(document, dict(stored)), figures[f"{stem}-dots"])
            style.save_figure(prompts.ranking(document), figures[f"{stem}-ranking"])
            continue
        model = path.parent.name
        parts = {Path(p).stem: artefacts.read_json(p) for p in results if Path(p).parent.name == model}
        with np.load(path) as stored:
            drawn = representations.figures(parts, dict(stored))
        for name, draw in drawn.items():
            if f"{model}-{name}" in figures:
                style.save_figure(draw(), figures[f"{model}-{name}"])


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        results=list(snakemake.input.results),
        arrays=list(snakemake.input.arrays),
        figures={Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
