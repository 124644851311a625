"""Roles of hidden neurons: purity, monosemanticity, asymmetric motifs (Elhage et al. 2022). No torch."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

MONOSEMANTIC = 0.9
"""A neuron counts as monosemantic if one feature has at least this share of its squared input weights."""


def strength(W1: Float[np.ndarray, "m n"], W2: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " m"]:
    """‖W1_k‖ ‖W2_k‖ of each neuron, unchanged by rescaling: 0 for one that does nothing."""
    return np.linalg.norm(W1, axis=1) * np.linalg.norm(W2, axis=0)


def purity(W1: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """Share of each neuron's squared input weights that its largest one has: 1 for a neuron of one feature."""
    squared = np.asarray(W1, dtype=np.float64) ** 2
    return squared.max(axis=1) / np.maximum(squared.sum(axis=1), 1e-30)


def alive(W1: Float[np.ndarray, "m n"], W2: Float[np.ndarray, "n m"]) -> Bool[np.ndarray, " m"]:
    """Neurons that do something: a strength of at least a tenth of the median (exact |x| needs 1)."""
    size = strength(W1, W2)
    return size > 0.1 * max(float(np.median(size)), 1e-12)


def monosemantic_share(W1: Float[np.ndarray, "m n"], W2: Float[np.ndarray, "n m"]) -> float:
    """Share of the neurons that do something whose purity is at least MONOSEMANTIC; 0 if none does."""
    kept = alive(W1, W2)
    return float((purity(W1)[kept] >= MONOSEMANTIC).mean()) if kept.any() else 0.0


class Motif(NamedTuple):
    """Asymmetric superposition: a neuron that reads one feature loudly and another softly, and writes the reverse."""

    neuron: int
    """Index of the neuron."""
    loud: int
    """Feature with the large input and the small output weight."""
    soft: int
    """Feature with the small input and the large output weight."""
    ratio_in: float
    """|W1| of the loud over that of the soft feature (4 in the paper: 2 against 1/2)."""
    ratio_out: float
    """W2 of the soft over that of the loud feature (4 in the paper)."""
    interference: float
    """Contribution of this neuron alone to the soft feature's output when the loud one is at 1."""
    net: float
    """Contribution of all neurons there, before the output's bias: inhibited if at most about zero."""


def asymmetric_motifs(
    W1: Float[np.ndarray, "m n"],
    W2: Float[np.ndarray, "n m"],
    least_ratio: float = 2.0,
    least_gain: float = 0.5,
) -> list[Motif]:
    """Neurons that compute a side of two features unequally (Elhage et al. 2022, 'asymmetric superposition').

    A neuron serves feature i if its gain W2[i] |W1[i]| is at least `least_gain` (a whole side has 1). Of the two
    features with the largest gains, the one with the larger input is loud; reading ratio and writing ratio must both be
    at least `least_ratio`.
    """
    gain = W2.T * np.abs(W1)
    motifs = []
    for neuron in range(len(W1)):
        first, second = np.argsort(-gain[neuron])[:2]
        if gain[neuron, second] < least_gain:
            continue
        loud, soft = (first, second) if abs(W1[neuron, first]) > abs(W1[neuron, second]) else (second, first)
        ratio_in = abs(W1[neuron, loud]) / abs(W1[neuron, soft])
        ratio_out = W2[soft, neuron] / W2[loud, neuron]
        if min(ratio_in, ratio_out) < least_ratio:
            continue
        reads = np.maximum(np.sign(W1[neuron, loud]) * W1[:, loud], 0.0)
        alone, together = W2[soft, neuron] * reads[neuron], W2[soft] @ reads
        motifs.append(Motif(neuron, int(loud), int(soft), *map(float, (ratio_in, ratio_out, alone, together))))
    return motifs
