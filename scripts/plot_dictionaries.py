"""Draw the figures of universality, splitting and automata."""

from functools import partial

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import automata, splitting, style, universality


def main(job: Job) -> None:
    """Documents are named by part; arrays are keyed `part/…`."""
    names = [name for name in ("universality", "splitting", "automata") if hasattr(job.input, name)]
    documents = {name: artefacts.read_json(getattr(job.input, name)) for name in names}
    with np.load(job.input.arrays) as stored:
        arrays = {
            name: {key.removeprefix(f"{name}/"): stored[key] for key in stored.files if key.startswith(f"{name}/")}
            for name in names
        }
    drawn = {
        "universality": {
            "universality": universality.correlations,
            "similarity": universality.similarity,
            "matched-contexts": universality.matched_contexts,
        },
        "splitting": {
            "children": lambda document, _: splitting.children(document),
            "context-latents": lambda document, _: splitting.context_latents(document),
            "families": lambda document, _: splitting.families(document),
            "map": splitting.planar_map,
            "logit-scatter": splitting.logit_scatter,
        },
        "automata": {
            "automata": lambda document, _: automata.graphs(document),
            "transitions": lambda document, _: automata.transitions(document),
        },
    }
    figures = {
        figure: partial(draw, documents[name], arrays[name]) for name in names for figure, draw in drawn[name].items()
    }
    style.save_figures(figures, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
