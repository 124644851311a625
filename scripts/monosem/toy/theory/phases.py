"""Theory of the phase diagrams: n features in m = n − 1 dimensions, all of importance 1 but the last, the extra.

A solution is an ideal arrangement with unit weights; the bias is 0, or E[x] on a feature that has no direction. Their
losses are exact (Elhage et al. 2022, "Superposition as a Phase Change"; the formulas are ours). A pair does better with
lengths and biases of its own: its four parameters are minimised numerically, on exact integrals, and the boundaries of
the phases are those of that pair. p is the feature-on probability, I the importance of the extra feature,
V = Var[x] = p/3 − p²/4.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize

from scripts.monosem.toy.theory import superposition

Broadcast = float | Float[np.ndarray, "*#shape"]
"""A number or an array; arguments are broadcast."""
FATES = ("not represented", "in superposition", "a dimension of its own")
"""Outcomes for the extra feature; positions in this tuple are classes."""
IGNORED, SUPERPOSED, DEDICATED = range(3)
INTERFERENCE = 0.25
"""A represented feature counts as superposed from this Σ_{j≠i} (Ŵ_i·W_j)² on: half of a partner's length along it."""
REPRESENTED = 0.5
"""Length from which both features of a pair count as represented."""
SMALLEST_IMPORTANCE = 0.05
"""Below this importance of the extra feature no boundary is looked for."""
HALVINGS = 7
"""Of the interval in which a boundary is looked for: to within 0.01 decades, a tenth of a step of the grid."""
_NODES, _MASSES = np.polynomial.legendre.leggauss(3)


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


def solution_losses(n: int, p: Broadcast, importance: Broadcast) -> dict[str, Broadcast]:
    """Loss of every ideal solution, broadcast over p and I: I V, p²(1 + I)/6, V, and p²/3."""
    p, importance = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(importance, dtype=np.float64))
    variance = superposition.feature_variance(p)
    losses = (importance * variance, p**2 * (1.0 + importance) / 6.0, variance, p**2 / 3.0)
    return dict(zip(SOLUTIONS[n], losses, strict=False))


def _pieces(*kinks: Float[np.ndarray, "*shape"]) -> tuple[Float[np.ndarray, "*shape node"], ...]:
    """Nodes and masses of Gauss-Legendre rules on the pieces of [0, 1] between kinks, which may lie outside."""
    inner = np.sort(np.clip(np.stack(kinks, axis=-1), 0.0, 1.0), axis=-1)
    low = np.concatenate([np.zeros_like(inner[..., :1]), inner], axis=-1)
    half = (np.concatenate([inner, np.ones_like(inner[..., :1])], axis=-1) - low) / 2.0
    nodes, masses = low[..., None] + half[..., None] * (_NODES + 1.0), half[..., None] * _MASSES
    return nodes.reshape(*inner.shape[:-1], -1), masses.reshape(*inner.shape[:-1], -1)


def pair_loss(parameters: Float[np.ndarray, "4"], p: float, importance: float) -> tuple[float, Float[np.ndarray, "4"]]:
    """Exact loss of W = [w₁, −w₂] with biases b₁, b₂ (the parameters in this order), and its gradient.

    E Σ_i I_i (x_i − ReLU(w_i² x_i − w₁w₂ x_j + b_i))² over independent sparse features, of which 2 is the extra one.
    Every piece of the integrals ends where the ReLU has its kink.
    """
    w, b = np.asarray(parameters[:2]), np.asarray(parameters[2:])
    a, c = np.maximum(w**2, 1e-12), w[0] * w[1]
    divisor = c if abs(c) > 1e-12 else 1e-12
    x, mass_x = _pieces(-b / a)
    y, mass_y = _pieces(b / divisor)
    outer, mass_outer = _pieces(b / divisor, (a + b) / divisor)
    inner, mass_inner = _pieces((c * outer - b[:, None]) / a[:, None])
    zero, both = np.zeros((2, 1)), mass_outer[..., None] * mass_inner
    value = np.concatenate([zero, x, 0.0 * y, inner.reshape(2, -1)], axis=1)
    partner = np.concatenate([zero, 0.0 * x, y, np.broadcast_to(outer[..., None], inner.shape).reshape(2, -1)], axis=1)
    shares = (
        np.array([[(1.0 - p) ** 2]] * 2),
        p * (1.0 - p) * mass_x,
        p * (1.0 - p) * mass_y,
        p**2 * both.reshape(2, -1),
    )
    masses = np.concatenate(shares, axis=1) * np.array([[1.0], [importance]])
    output = np.maximum(a[:, None] * value - c * partner + b[:, None], 0.0)
    error = output - value
    slope = 2.0 * masses * error * (output > 0)
    by_own, by_partner = (slope * value).sum(1), (slope * partner).sum(1)
    by_w = 2.0 * w * by_own - w[::-1] * by_partner.sum()
    return float((masses * error**2).sum()), np.concatenate([by_w, slope.sum(1)])


def best_pair(p: float, importance: float) -> tuple[float, Float[np.ndarray, "4"]]:
    """Loss and parameters of the local minimum that the ideal antipodal pair leads to."""
    result = minimize(pair_loss, [1.0, 1.0, 0.0, 0.0], args=(p, importance), jac=True, method="L-BFGS-B")
    return float(result.fun), result.x


def pair_is_best(p: float, importance: float) -> bool:
    """True if a pair of represented features has less loss than ignoring either of them."""
    loss, parameters = best_pair(p, importance)
    ignoring = min(1.0, importance) * float(superposition.feature_variance(p))
    return bool(loss < ignoring and np.abs(parameters[:2]).min() > REPRESENTED)


@functools.lru_cache
def _least_importance(p: float) -> float:
    if pair_is_best(p, SMALLEST_IMPORTANCE):
        return SMALLEST_IMPORTANCE
    if not pair_is_best(p, 1.0):
        return 1.0
    low, high = np.log10(SMALLEST_IMPORTANCE), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if pair_is_best(p, 10.0**middle) else (middle, high)
    return float(10.0**high)


def boundaries(
    n: int, p: Float[np.ndarray, " column"]
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " column"]]:
    """Importances of the extra feature at which its fate changes: where it gets a direction, where one of its own.

    The second is the first's inverse for n = 2, by symmetry, and 1 for n = 3, where it becomes the other features' turn
    to share. Both are 1 where superposition never wins.
    """
    lower = np.array([_least_importance(float(value)) for value in p])
    return lower, (1.0 / lower if n == 2 else np.ones_like(lower))


def expected_fate(
    n: int, p: Float[np.ndarray, " column"], importance: Float[np.ndarray, " row"]
) -> Int[np.ndarray, "row column"]:
    """Class of the extra feature at every cell."""
    lower, upper = boundaries(n, p)
    rows = importance[:, None]
    superposed = (rows >= lower) & (rows <= upper) & (lower < upper)
    return np.where(rows < lower, IGNORED, np.where(superposed, SUPERPOSED, DEDICATED))


def agrees_within_one_step(
    fate: Int[np.ndarray, "row column"], expected: Int[np.ndarray, "row column"]
) -> Bool[np.ndarray, "row column"]:
    """True for a cell whose class is expected there or at a neighbour above, below, left or right."""
    padded = np.pad(expected, 1, mode="edge")
    rows, columns = expected.shape
    shifts = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return np.any([fate == padded[i : i + rows, j : j + columns] for i, j in shifts], axis=0)


def fate_of(
    norm: superposition.Numbers, interference: superposition.Numbers, threshold: float
) -> Int[np.ndarray, "*shape"]:
    """Class of a trained extra feature from its length and its interference; `threshold` on the length."""
    superposed = np.where(interference >= INTERFERENCE, SUPERPOSED, DEDICATED)
    return np.where(norm <= threshold, IGNORED, superposed)
