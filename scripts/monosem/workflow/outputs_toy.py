"""The experiments of the toy chapter: kinds in the chapter's order, and the figures that each kind draws.

A kind has its parameters in `toy/settings.py`, a module of its name (hyphens become underscores) with `run` in
`toy/experiments`, and one with `figures` in `figures/toy`. An entry under `toy` in config.yaml names its kind; several
may share one. Imports neither torch nor matplotlib: rules and report read it while the workflow is parsed.
"""

from collections.abc import Mapping
from typing import Any

FIGURES: dict[str, tuple[str, ...]] = {
    "superposition": ("weights", "norms", "features-represented"),
    "phase-diagram": ("diagram", "crossing"),
    "uniform-geometry": ("dimensionality", "graphs"),
    "non-uniform": ("snap",),
    "correlated": ("arrangements", "collapse"),
    "dynamics": ("levels", "octahedron"),
    "adversarial": ("vulnerability",),
    "privileged-basis": ("weights", "solutions"),
    "absolute-value": ("neurons", "sharing"),
    "polysemantic-neuron": ("choice",),
    "recovery": ("band", "sweep", "matching"),
    "absorption": ("absorption",),
}
"""Kind -> names of its figures; a figure's file is `results/figures/toy/{experiment}-{figure}.svg`."""

NAMED: dict[str, str] = {kind: kind for kind in FIGURES} | {
    "superposition-80": "superposition",
    "phase-diagram-3": "phase-diagram",
    "sharkey": "recovery",
    "absolute-value-exact": "absolute-value",
}
"""Experiments that claims and the chapter's text name -> their kind; a configuration may leave them out."""


def experiments(toy: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Experiment -> its settings, in the chapter's order; an entry that is null is left out."""
    order = list(FIGURES)
    kept = [(name, settings) for name, settings in toy.items() if settings is not None]
    return dict(sorted(kept, key=lambda entry: order.index(entry[1]["kind"])))


def stem(kind: str) -> str:
    """Name of the Python module of a kind."""
    return kind.replace("-", "_")


def figure_names(toy: Mapping[str, Any]) -> list[str]:
    """`{experiment}-{figure}` of every figure of the chapter, in its order."""
    chosen = experiments(toy).items()
    return [f"{name}-{figure}" for name, settings in chosen for figure in FIGURES[settings["kind"]]]
