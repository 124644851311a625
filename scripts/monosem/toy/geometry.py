"""Geometry of feature directions: norms, interference, dimensionality (numpy, float64; Elhage et al. 2022).

`W` has shape [..., m, n]: column i is the direction of feature i; leading axes are instances.
"""

import numpy as np
from jaxtyping import Float, Int

REPRESENTED_NORM = 0.5
"""A feature counts as represented when ‖W_i‖ exceeds this."""

_TINY = 1e-12


def gram(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n n"]:
    """WᵀW: diagonal ‖W_i‖², off the diagonal how much feature j leaks into output i."""
    W = np.asarray(W, dtype=np.float64)
    return np.swapaxes(W, -1, -2) @ W


def norms(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n"]:
    """‖W_i‖ of each feature."""
    return np.linalg.norm(np.asarray(W, dtype=np.float64), axis=-2)


def _projections_squared(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n n"]:
    """(Ŵ_i · W_j)² at [..., i, j], 0 where W_i = 0."""
    return (gram(W) / np.maximum(norms(W), _TINY)[..., :, None]) ** 2


def interference(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n"]:
    """Σ_{j≠i} (Ŵ_i · W_j)²: how much of the other features lies along feature i; 0 means a dimension of its own."""
    squared = _projections_squared(W)
    return squared.sum(-1) - np.diagonal(squared, axis1=-2, axis2=-1)


def dimensionality(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n"]:
    """D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)²: the share of a dimension that feature i has; 0 where W_i = 0."""
    total = _projections_squared(W).sum(-1)
    return norms(W) ** 2 / np.maximum(total, _TINY)


def dimensions_per_feature(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance"] | float:
    """D* = m / ‖W‖²_F: hidden dimensions per represented feature."""
    W = np.asarray(W, dtype=np.float64)
    return W.shape[-2] / np.maximum((W**2).sum((-2, -1)), _TINY)


def n_represented(
    W: Float[np.ndarray, "*instance m n"], threshold: float = REPRESENTED_NORM
) -> Int[np.ndarray, "*instance"] | np.integer:
    """Number of features with ‖W_i‖ > threshold."""
    return (norms(W) > threshold).sum(-1)


def max_off_diagonal(W: Float[np.ndarray, "m n"], threshold: float = REPRESENTED_NORM) -> float:
    """Largest |(WᵀW)_ij|, i ≠ j, among the represented features of one model; 0 if there are fewer than two."""
    kept = gram(W)[np.ix_(*[norms(W) > threshold] * 2)]
    return float(np.abs(kept - np.diag(np.diag(kept))).max(initial=0.0))
