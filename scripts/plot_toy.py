"""Draw the figures of the toy chapter from the results and arrays of its experiments."""

import importlib
from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import style
from scripts.monosem.workflow import outputs_toy


def main(job: Job) -> None:
    """Every experiment draws the figures that the catalogue names for its kind; arrays.npz is beside result.json."""
    folder = Path(job.output.svg[0]).parent
    for path in map(Path, job.input.results):
        name, result = path.parent.name, artefacts.read_json(path)
        with np.load(path.with_name("arrays.npz")) as stored:
            arrays = dict(stored)
        module = importlib.import_module(f"scripts.monosem.figures.toy.{outputs_toy.stem(result['kind'])}")
        figures, expected = module.figures(name, result, arrays), outputs_toy.FIGURES[result["kind"]]
        if set(figures) != set(expected):
            raise ValueError(f"{module.__name__} draws {sorted(figures)}, but the catalogue says {sorted(expected)}")
        for figure in expected:
            style.save_figure(figures[figure], folder / f"{name}-{figure}")


if __name__ == "__main__":
    run(main, snakemake)
