"""Toy models that compute y = |x| with a hidden layer of ReLUs, many instances at once (Elhage et al. 2022)."""

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.toy.data import Batch, stratified_batch
from scripts.monosem.toy.models import two_layer_loss

Hidden = Literal["relu", "linear"]
"""Activation of the hidden layer."""


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


def forward(
    parameters: Parameters, x: Float[Tensor, "*shared sample n"], hidden: Hidden
) -> Float[Tensor, "*instance sample n"]:
    """y' = ReLU(W2 act(W1 x) + b); `hidden` 'linear' is the control."""
    h = x @ parameters.W1.mT
    return torch.relu((torch.relu(h) if hidden == "relu" else h) @ parameters.W2.mT + parameters.b[..., None, :])


def signed_batch(probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator) -> Batch:
    """A stratified batch with features uniform on [−1, 1] where they are on."""
    batch = stratified_batch(probability, n_samples, generator)
    on = (batch.x > 0).to(batch.x.dtype)
    return Batch(batch.x.mul_(2.0).sub_(on), batch.weight)


def loss(
    parameters: Parameters, batch: Batch, importance: Float[Tensor, " n"], hidden: Hidden
) -> Float[Tensor, "*instance"]:
    """E_x Σ_i I_i (|x_i| − y'_i)² of each instance."""
    W1, W2, b = parameters
    return two_layer_loss(
        W1, W2.mT, b, batch.x, batch.x.abs(), batch.weight, importance, relu_hidden=hidden == "relu", relu=True
    )


def rescaled(
    W1: Float[np.ndarray, "m n"], W2: Float[np.ndarray, "n m"]
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "n m"]]:
    """The same function with every neuron's largest |W1| equal to one; a silent neuron (W1 = 0) stays as it is."""
    scale = np.abs(W1).max(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    return W1 / scale[:, None], W2 * scale
