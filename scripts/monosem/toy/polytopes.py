"""Polytopes that trained features form: lines of D_i, and components of the feature graph compared by Gram matrix.

Orthogonal polytopes make a tegum product (Elhage et al. 2022, "The Geometry of Superposition"): every vertex keeps the
dimensionality that it has in its own factor, and the feature graph falls apart into the factors.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from scripts.monosem.toy import geometry
from scripts.monosem.toy.theory import superposition

LINES = {"1": 1.0, "3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8}
"""Where the paper finds D_i to gather: a dimension of its own, tetrahedron, triangle, digon, pentagon, antiprism."""
HALF_WIDTH = 0.005
"""A line is counted within this of its fraction."""
AWAY = 0.0125
"""Distance of the strips, as wide, on either side with which it is compared."""
MIN_COUNT = 10
"""Least number of features in a line."""
MIN_RATIO = 2.0
"""Least number of features in a line over that in either strip."""
EDGE = 0.25
"""|cosine| from which two features are joined in the feature graph."""
TOLERANCE = 0.1
"""Largest deviation of any cosine from the ideal one at which a component counts as a polytope."""


@dataclass(frozen=True)
class Line:
    """Numbers of D_i at a fraction and beside it."""

    at: int
    """Features within HALF_WIDTH of the fraction."""
    beside: int
    """The same on the fuller side of it, AWAY from the fraction."""

    @property
    def present(self) -> bool:
        """At least MIN_COUNT features, and MIN_RATIO as many as on either side."""
        return self.at >= MIN_COUNT and self.at >= MIN_RATIO * self.beside


def lines(D: Float[np.ndarray, " feature"]) -> dict[str, Line]:
    """Counts at every fraction of LINES."""

    def count(centre: float) -> int:
        return int((np.abs(D - centre) <= HALF_WIDTH).sum())

    return {name: Line(count(f), max(count(f - AWAY), count(f + AWAY))) for name, f in LINES.items()}


@dataclass(frozen=True)
class Component:
    """A connected part of the feature graph."""

    features: Int[np.ndarray, " k"]
    """Indices of its features."""
    name: str | None
    """The polytope that it is, 'alone' for a single feature, None if it is none that is known."""
    deviation: float | None
    """Largest difference of a cosine from the ideal of the nearest polytope with as many vertices; None without one."""


def _cosines(W: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "n n"]:
    unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-12)
    return unit.T @ unit


def gram_deviation(a: Float[np.ndarray, "k k"], b: Float[np.ndarray, "k k"]) -> float:
    """Largest difference of two matrices of cosines up to the order of their vertices.

    Compared are the sorted rows and the sorted eigenvalues. The known polytopes look alike from all their vertices, so
    that rows need no matching; eigenvalues tell arrangements apart whose rows are the same.
    """
    rows = np.abs(np.sort(a, axis=1) - np.sort(b, axis=1)).max()
    spectrum = np.abs(np.linalg.eigvalsh(a) - np.linalg.eigvalsh(b)).max() / len(a)
    return float(max(rows, spectrum))


def identify(cosines: Float[np.ndarray, "k k"]) -> tuple[str | None, float | None]:
    """Name of the polytope that k unit vectors form, None if it is unknown, and deviation from the nearest one."""
    if len(cosines) == 1:
        return "alone", 0.0
    best, deviation = None, None
    for name in superposition.POLYTOPE_DIMENSIONALITY:
        ideal = superposition.polytope(name)
        if ideal.shape[1] == len(cosines):
            best, deviation = name, gram_deviation(cosines, _cosines(ideal))
    return (best if deviation is not None and deviation <= TOLERANCE else None), deviation


def components(W: Float[np.ndarray, "m n"]) -> list[Component]:
    """Components of one model's represented features, largest first."""
    kept = np.flatnonzero(geometry.norms(W) > geometry.REPRESENTED_NORM)
    cosines = _cosines(np.asarray(W, dtype=np.float64)[:, kept])
    _, label = connected_components(csr_matrix(np.abs(cosines) >= EDGE), directed=False)
    groups = sorted((np.flatnonzero(label == value) for value in np.unique(label)), key=len, reverse=True)
    return [Component(kept[group], *identify(cosines[np.ix_(group, group)])) for group in groups]


def census(parts: list[Component]) -> dict[str, int]:
    """Number of features in components of each name; 'none' counts those in unknown ones."""
    counts = dict.fromkeys(("alone", *superposition.POLYTOPE_DIMENSIONALITY, "none"), 0)
    for component in parts:
        counts[component.name or "none"] += len(component.features)
    return counts
