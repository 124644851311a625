"""Entropy and divergence of distributions, in nats."""

import numpy as np
from jaxtyping import Float, Real


def distribution_entropy(weights: Real[np.ndarray, "*units n"]) -> Float[np.ndarray, "*units"]:
    """Entropy in nats of weights ≥ 0, normalised along the last axis; NaN where all are zero.

    With weights = a unit's activation summed per token this is Heap et al. 2025's token-distribution entropy: 0 for a
    unit of one token, log(n) for one that treats n tokens alike.
    """
    weights = np.asarray(weights, dtype=np.float64)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = weights / total
        return np.where(total[..., 0] > 0, -np.where(p > 0, p * np.log(p), 0.0).sum(-1), np.nan)


def kl_divergence(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"]) -> float:
    """KL(p || q) = Σ p log(p / q) of two distributions.

    scipy.special.rel_entr is infinite where a float32 softmax has underflowed to q = 0, and JSON has no infinity.
    """
    p, q = p.astype(np.float64), q.astype(np.float64)
    return float((p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-300))).sum())
