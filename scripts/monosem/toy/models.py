"""The toy models of superposition: h = W x, x' = act(Wᵀ h + b), many instances at once (Elhage et al. 2022)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.toy.data import Batch

Output = Literal["relu", "linear"]


class Parameters(NamedTuple):
    """Weights of a stack of toy models; every tensor begins with the same instance axes."""

    W: Float[Tensor, "*instance m n"]
    """Column i is the direction that feature i has in the hidden space."""
    b: Float[Tensor, "*instance n"]
    """Bias of the output."""


def initialise(instances: tuple[int, ...], n: int, m: int, generator: Generator) -> Parameters:
    """Xavier-normal weights (std √(2/(n + m))) and zero biases, on the generator's device."""
    W = torch.randn(*instances, m, n, generator=generator, device=generator.device) * (2.0 / (n + m)) ** 0.5
    return Parameters(W, W.new_zeros(*instances, n))


def hidden(W: Float[Tensor, "*instance m n"], x: Float[Tensor, "*instance sample n"]) -> Float[Tensor, "..."]:
    """h = W x, shape [*instance, sample, m], without bias."""
    return x @ W.mT


def forward(parameters: Parameters, x: Float[Tensor, "*instance sample n"], output: Output) -> Float[Tensor, "..."]:
    """x' = act(Wᵀ W x + b), shape [*instance, sample, n]; `output` 'linear' is the control without superposition."""
    pre = hidden(parameters.W, x) @ parameters.W + parameters.b[..., None, :]
    return torch.relu(pre) if output == "relu" else pre


def reconstruction_loss(
    parameters: Parameters, batch: Batch, importance: Float[Tensor, " n"], output: Output
) -> Float[Tensor, "*instance"]:
    """E_x Σ_i I_i (x_i − x'_i)² of each instance (Elhage et al. 2022, 'Demonstrating superposition')."""
    error = (forward(parameters, batch.x, output) - batch.x).square() @ importance
    return (error * batch.weight).sum(-1)
