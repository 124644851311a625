# ruff: noqa: F821
"""Draw the figures of the toy chapter: weights, cosines and numbers in, svg and png out."""

from pathlib import Path

import numpy as np

from scripts.monosem import io, joblog
from scripts.monosem.plots import style, toy


def main(
    superposition: str, superposition_result: str, recovery: str, recovery_result: str, figures: dict[str, str]
) -> None:
    """`figures` maps the name of each figure to its path without suffix."""
    with np.load(superposition) as weights, np.load(recovery) as cosines:
        weights, cosines = dict(weights), dict(cosines)
    numbers, grades = io.read_json(superposition_result), io.read_json(recovery_result)
    drawn = {
        "superposition": lambda: toy.superposition(weights),
        "norms": lambda: toy.norms(weights),
        "features-represented": lambda: toy.features_represented(numbers),
        "recovery": lambda: toy.recovery(grades),
        "matching": lambda: toy.matching(cosines),
    }
    for name, path in figures.items():
        style.save_figure(drawn[name](), path)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.input.superposition,
        snakemake.input.superposition_result,
        snakemake.input.recovery,
        snakemake.input.recovery_result,
        {Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
