"""Closed forms for toy models of superposition, to grade trained ones against (float64, numpy)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Numbers = float | Float[np.ndarray, "*shape"]
"""A number, or an array in which each entry is treated alone."""


def feature_mean(p: Numbers) -> Numbers:
    """E[x] = p / 2 of a feature that is on with probability p and then uniform on [0, 1]."""
    return np.asarray(p, dtype=np.float64) / 2.0


def feature_variance(p: Numbers) -> Numbers:
    """Var[x] = p / 3 − p² / 4."""
    p = np.asarray(p, dtype=np.float64)
    return p / 3.0 - p**2 / 4.0


def importances(n: int, importance: float) -> Float[np.ndarray, " n"]:
    """Weight of each feature in the loss, importance^i."""
    return importance ** np.arange(n, dtype=np.float64)


def constant_loss(p: Float[np.ndarray, " n"], importance: Float[np.ndarray, " n"]) -> float:
    """Loss of the best constant, W = 0 and b = E[x]: Σ_i I_i Var[x_i]."""
    return float(np.sum(importance * feature_variance(p)))


def constant_losses(probabilities: Sequence[float], importance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " level"]:
    """`constant_loss` of each level, at which all features have one probability: the unit of trained losses."""
    return np.array([constant_loss(np.full(len(importance), p), importance) for p in probabilities])


def linear_optimum(p: Float[np.ndarray, " n"], importance: Float[np.ndarray, " n"], m: int) -> float:
    """Least loss of the linear model with m hidden dimensions: the sum of all but the m largest I_i Var[x_i].

    With b at its best the loss is ‖√I (1 − WᵀW) √V‖²_F, a best rank-m approximation of the diagonal √(I V) (weighted
    PCA): it keeps the m features of largest I_i Var[x_i], orthonormally, and drops the rest (Saxe et al. 2014; Elhage
    et al. 2022, "Mathematical understanding").
    """
    weighted = np.sort(importance * feature_variance(p))[::-1]
    return float(weighted[m:].sum())


def linear_loss(
    W: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, " n"],
    p: Float[np.ndarray, " n"],
    importance: Float[np.ndarray, " n"],
) -> float:
    """Expected loss of any linear model: Σ_i I_i [Σ_j (δ_ij − G_ij)² Var[x_j] + (μ_i − (G μ)_i − b_i)²], G = WᵀW."""
    W, mean = np.asarray(W, dtype=np.float64), feature_mean(p)
    residual = np.eye(W.shape[1]) - W.T @ W
    return float(importance @ (residual**2 @ feature_variance(p) + (residual @ mean - b) ** 2))


def polytope(name: str) -> Float[np.ndarray, "dimension vertex"]:
    """Unit vectors of an ideal arrangement: digon, triangle, tetrahedron, pentagon or (tight) square antiprism."""
    if name == "digon":
        return np.array([[1.0, -1.0]])
    if name in ("triangle", "pentagon"):
        angle = 2.0 * np.pi * np.arange(3 if name == "triangle" else 5) / (3 if name == "triangle" else 5)
        return np.stack([np.cos(angle), np.sin(angle)])
    if name == "tetrahedron":
        return np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / np.sqrt(3.0)
    if name == "square antiprism":
        # The height 1/√3 makes the eight vectors a tight frame: Σ v vᵀ = (8/3) 1.
        angle = np.pi * np.arange(8) / 4.0
        height = np.where(np.arange(8) % 2 == 0, 1.0, -1.0) / np.sqrt(3.0)
        radius = np.sqrt(2.0 / 3.0)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), height])
    raise ValueError(f"no polytope is called '{name}'")


def tegum_product(*factors: Float[np.ndarray, "_ _"]) -> Float[np.ndarray, "dimension vertex"]:
    """Polytopes in orthogonal subspaces, e.g. a triangle and a digon: the triangular bipyramid."""
    W = np.zeros((sum(factor.shape[0] for factor in factors), sum(factor.shape[1] for factor in factors)))
    row = column = 0
    for factor in factors:
        W[row : row + factor.shape[0], column : column + factor.shape[1]] = factor
        row, column = row + factor.shape[0], column + factor.shape[1]
    return W


POLYTOPE_DIMENSIONALITY = {
    "digon": 1 / 2, "triangle": 2 / 3, "tetrahedron": 3 / 4, "pentagon": 2 / 5, "square antiprism": 3 / 8,
}  # fmt: skip
"""D_i of every vertex: dimensions / vertices, as in any tight frame of equal norms."""
