"""Closed forms of the phase diagrams: n features in m = n − 1 dimensions, all of importance 1 but the last, the extra.

A solution is an ideal arrangement with unit weights; the bias is 0, or E[x] on a feature that has no direction. Their
losses are exact (Elhage et al. 2022, "Superposition as a Phase Change"; the formulas are ours). p is the
feature-on probability, I the importance of the extra feature, V = Var[x] = p/3 − p²/4.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scripts.monosem.toy.theory import superposition

Broadcast = float | Float[np.ndarray, "*#shape"]
"""A number or an array; arguments are broadcast."""
FATES = ("not represented", "in superposition", "a dimension of its own")
"""Outcomes for the extra feature; positions in this tuple are classes."""
IGNORED, SUPERPOSED, DEDICATED = range(3)
TRIPLE_POINT = 4.0 / 7.0
"""p at which, with I = 1, all solutions are equally good; superposition never wins above it."""
INTERFERENCE = 0.25
"""A represented feature counts as superposed from this Σ_{j≠i} (Ŵ_i·W_j)² on: half of a partner's length along it."""


@dataclass(frozen=True)
class Solution:
    """One ideal arrangement."""

    fate: int
    """Class of the extra feature."""
    W: Float[np.ndarray, "m n"]
    """Unit weights."""


SOLUTIONS: dict[int, dict[str, Solution]] = {
    2: {
        "ignore the extra": Solution(IGNORED, np.array([[1.0, 0.0]])),
        "antipodal pair": Solution(SUPERPOSED, np.array([[1.0, -1.0]])),
        "ignore the other": Solution(DEDICATED, np.array([[0.0, 1.0]])),
    },
    3: {
        "ignore the extra": Solution(IGNORED, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])),
        "extra in the pair": Solution(SUPERPOSED, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]])),
        "ignore another": Solution(DEDICATED, np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
        "the others paired": Solution(DEDICATED, np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])),
    },
}
"""n -> its solutions by name."""


def solution_losses(n: int, p: Broadcast, importance: Broadcast, pair: float = 1.0) -> dict[str, Broadcast]:
    """Loss of every solution, broadcast over p and I: I V, p²(1 + I)/6, V, and p²/3.

    Trained pairs are a little better than ideal ones, for they adapt scale and bias; `pair` multiplies their loss.
    """
    p, importance = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(importance, dtype=np.float64))
    variance = superposition.feature_variance(p)
    losses = (importance * variance, pair * p**2 * (1.0 + importance) / 6.0, variance, pair * p**2 / 3.0)
    return dict(zip(SOLUTIONS[n], losses, strict=False))


def best_fate(
    n: int, p: Broadcast, importance: Broadcast, pair: float = 1.0
) -> Int[np.ndarray, "*#shape"] | np.integer:
    """Class of the extra feature in the solution of least loss; `pair` as in `solution_losses`."""
    losses = solution_losses(n, p, importance, pair)
    fates = np.array([SOLUTIONS[n][name].fate for name in losses])
    return fates[np.stack(list(losses.values())).argmin(axis=0)]


def boundaries(n: int, p: superposition.Numbers) -> tuple[superposition.Numbers, superposition.Numbers]:
    """Importances of the extra feature at which its fate changes: where it gets a direction, where one of its own.

    2p/(4 − 5p), and (4 − 5p)/(2p) for n = 2 or 1 for n = 3; both are 1 above the triple point.
    """
    p = np.asarray(p, dtype=np.float64)
    below = p < TRIPLE_POINT
    lower = np.where(below, 2.0 * p / np.where(below, 4.0 - 5.0 * p, 1.0), 1.0)
    return lower, (1.0 / lower if n == 2 else np.ones_like(lower))


def decades_from_boundary(n: int, p: Broadcast, importance: Broadcast) -> Broadcast:
    """|log10 I − log10 I*| to the nearer boundary at the same p."""
    return np.min([np.abs(np.log10(importance) - np.log10(line)) for line in boundaries(n, p)], axis=0)


def fit_triple_point(n: int, p: Float[np.ndarray, " column"], importance: Float[np.ndarray, " row"],
                     fate: Int[np.ndarray, "row column"]) -> float:  # fmt: skip
    """The triple point of the closed forms whose factor `pair` fits a diagram best: p = 4 / (3 + 4 · pair).

    The factor is the only free parameter; among equally good ones the middle is taken.
    """
    factors = np.geomspace(0.4, 2.5, 401)
    wrong = [(best_fate(n, p[None], importance[:, None], factor) != fate).sum() for factor in factors]
    best = factors[np.flatnonzero(np.array(wrong) == min(wrong))]
    return float(4.0 / (3.0 + 4.0 * np.median(best)))


def fate_of(
    norm: superposition.Numbers, interference: superposition.Numbers, threshold: float
) -> Int[np.ndarray, "*shape"]:
    """Class of a trained extra feature from its length and its interference; `threshold` on the length."""
    superposed = np.where(interference >= INTERFERENCE, SUPERPOSED, DEDICATED)
    return np.where(norm <= threshold, IGNORED, superposed)
