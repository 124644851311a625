"""The toy models of superposition: h = W x, x' = act(Wᵀ h + b), many instances at once (Elhage et al. 2022)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.toy import kernels
from scripts.monosem.toy.data import Batch

Output = Literal["relu", "linear"]
"""Activation of the output."""


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


def hidden(
    W: Float[Tensor, "*#instance m n"], x: Float[Tensor, "*#instance sample n"]
) -> Float[Tensor, "*#instance sample m"]:
    """h = W x, without bias."""
    return x @ W.mT


def forward(
    parameters: Parameters, x: Float[Tensor, "*shared sample n"], output: Output
) -> Float[Tensor, "*instance sample n"]:
    """x' = act(Wᵀ W x + b); `output` 'linear' is the control without superposition."""
    pre = hidden(parameters.W, x) @ parameters.W + parameters.b[..., None, :]
    return torch.relu(pre) if output == "relu" else pre


class _TwoLayers(torch.autograd.Function):
    """`two_layer_loss` in compiled loops, which give its gradients with it."""

    @staticmethod
    def forward(ctx, *inputs: Tensor | bool) -> Tensor:
        loss, *gradients = kernels.two_layers(*inputs)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_W1, by_W2, by_b = ctx.saved_tensors
        return grad[..., None, None] * by_W1, grad[..., None, None] * by_W2, grad[..., None] * by_b, *[None] * 6


def two_layer_loss(
    W1: Float[Tensor, "*instance m n"],
    W2: Float[Tensor, "*instance m n"],
    b: Float[Tensor, "*instance n"],
    x: Float[Tensor, "*#instance sample n"],
    target: Float[Tensor, "*#instance sample n"],
    weight: Float[Tensor, "*#instance sample"],
    importance: Float[Tensor, "*#instance n"] | None,
    relu_hidden: bool,
    relu: bool,
) -> Float[Tensor, "*instance"]:
    """Σ_s weight_s Σ_i I_i (t_i − y_i)² of each instance, y = act(W2ᵀ act(W1 x) + b).

    Row k of W1 is what hidden unit k reads, row k of W2 what it writes. `importance` None means 1 for all features.
    """
    importance = W1.new_ones(W1.shape[-1]) if importance is None else importance
    if W1.is_cpu and W1.dtype == torch.float32:
        return _TwoLayers.apply(W1, W2, b, x, target, weight, importance, relu_hidden, relu)
    h = x @ W1.mT
    y = (torch.relu(h) if relu_hidden else h) @ W2 + b[..., None, :]
    error = ((torch.relu(y) if relu else y) - target).square()
    return ((error * importance[..., None, :]).sum(-1) * weight).sum(-1)


def reconstruction_loss(
    parameters: Parameters,
    batch: Batch,
    importance: Float[Tensor, "*#instance n"] | None,
    output: Output,
    relu_hidden: bool = False,
) -> Float[Tensor, "*instance"]:
    """E_x Σ_i I_i (x_i − x'_i)² of each instance (Elhage et al. 2022, 'Demonstrating superposition').

    The batch may lack leading instance axes, which then share it. `importance` None means 1 for all features.
    """
    W, x = parameters.W, batch.x
    return two_layer_loss(W, W, parameters.b, x, x, batch.weight, importance, relu_hidden, output == "relu")
