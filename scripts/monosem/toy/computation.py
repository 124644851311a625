"""Toy models that compute y = |x| with a hidden layer of ReLUs, many instances at once (Elhage et al. 2022)."""

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from scripts.monosem.toy.data import Batch, stratified_batch

Hidden = Literal["relu", "linear"]

MONOSEMANTIC = 0.9
"""A neuron counts as monosemantic if one feature has at least this share of its squared input weights."""


class Parameters(NamedTuple):
    """Weights of a stack of models; every tensor begins with the same instance axes."""

    W1: Float[Tensor, "*instance m n"]
    """Row k is what neuron k reads."""
    W2: Float[Tensor, "*instance n m"]
    """Column k is what neuron k writes."""
    b: Float[Tensor, "*instance n"]
    """Bias of the output."""


def initialise(instances: tuple[int, ...], n: int, m: int, generator: Generator) -> Parameters:
    """Xavier-normal W1, zero biases, and W2 = |W1|ᵀ less its mean, on the generator's device.

    A neuron starts by writing to the features that it reads, whichever sign it reads. With an independent W2 half of
    the sides of sparse features start where the output's ReLU has no gradient and stay there: the loss stops at half
    of the variance, which |x| shares with max(x, 0).
    """
    scale = (2.0 / (n + m)) ** 0.5
    W1 = torch.randn(*instances, m, n, generator=generator, device=generator.device) * scale
    W2 = W1.mT.abs() - (2.0 / math.pi) ** 0.5 * scale
    return Parameters(W1, W2, W1.new_zeros(*instances, n))


def forward(parameters: Parameters, x: Float[Tensor, "*instance sample n"], hidden: Hidden) -> Float[Tensor, "..."]:
    """y' = ReLU(W2 act(W1 x) + b), shape [*instance, sample, n]; `hidden` 'linear' is the control."""
    h = x @ parameters.W1.mT
    return torch.relu((torch.relu(h) if hidden == "relu" else h) @ parameters.W2.mT + parameters.b[..., None, :])


def signed_batch(probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator) -> Batch:
    """A stratified batch with features uniform on [−1, 1] where they are on."""
    batch = stratified_batch(probability, n_samples, generator)
    return Batch(torch.where(batch.x > 0, 2.0 * batch.x - 1.0, 0.0), batch.weight)


def loss(
    parameters: Parameters, batch: Batch, importance: Float[Tensor, " n"], hidden: Hidden
) -> Float[Tensor, "*instance"]:
    """E_x Σ_i I_i (|x_i| − y'_i)² of each instance."""
    error = (forward(parameters, batch.x, hidden) - batch.x.abs()).square() @ importance
    return (error * batch.weight).sum(-1)


def rescaled(
    W1: Float[np.ndarray, "m n"], W2: Float[np.ndarray, "n m"]
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "n m"]]:
    """The same function with every neuron's largest |W1| equal to one; a silent neuron (W1 = 0) stays as it is."""
    scale = np.abs(W1).max(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    return W1 / scale[:, None], W2 * scale


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
    loud: int
    """Feature with the large input and the small output weight."""
    soft: int
    """Feature with the small input and the large output weight."""
    ratio_in: float
    """|W1| of the loud over that of the soft feature (4 in the paper: 2 against 1/2)."""
    ratio_out: float
    """W2 of the soft over that of the loud feature (4 in the paper)."""
    interference: float
    """What the neuron alone writes to the soft feature's output when the loud one is at 1."""
    net: float
    """What all neurons together write there (before the output's bias): inhibited if at most about zero."""


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
    found = []
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
        found.append(Motif(neuron, int(loud), int(soft), *map(float, (ratio_in, ratio_out, alone, together))))
    return found
