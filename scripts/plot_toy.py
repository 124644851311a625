"""Draw the figures of the toy chapter: results and arrays of its experiments in, svg and png out."""

import importlib
from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import style
from scripts.monosem.workflow import outputs_toy


def main(results: list[str], folder: str) -> None:
    """Draws every figure that the catalogue names for the kinds of the given results (arrays.npz lies beside each)."""
    for path in map(Path, results):
        name, result = path.parent.name, artefacts.read_json(path)
        with np.load(path.with_name("arrays.npz")) as stored:
            arrays = dict(stored)
        draw = importlib.import_module(f"scripts.monosem.figures.toy.{outputs_toy.stem(result['kind'])}")
        figures = draw.figures(name, result, arrays)
        wanted = outputs_toy.FIGURES[result["kind"]]
        if set(figures) != set(wanted):
            raise ValueError(f"{draw.__name__} draws {sorted(figures)}, but the catalogue says {sorted(wanted)}")
        for figure in wanted:
            style.save_figure(figures[figure], Path(folder, f"{name}-{figure}"))


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(list(snakemake.input.results), str(Path(snakemake.output.svg[0]).parent))
