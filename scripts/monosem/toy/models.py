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


class _Reconstruction(torch.autograd.Function):
    """Loss of a model with its gradients by W and b, which reads large tensors as few times as it can.

    Nearly all of the time goes into elementwise passes over [*instance, sample, n], of which autograd needs three times
    as many. On the CPU there are compiled loops.
    """

    @staticmethod
    def forward(ctx, W: Tensor, b: Tensor, x: Tensor, weight: Tensor, importance: Tensor | None, relu: bool) -> Tensor:
        if W.is_cpu and W.dtype == torch.float32:
            importance = W.new_ones(W.shape[-1]) if importance is None else importance
            loss, by_W, by_b = kernels.reconstruct(W, b, x, weight, importance, relu)
            ctx.save_for_backward(by_W, by_b)
            return loss
        h = x @ W.mT
        out = torch.baddbmm(b[:, None], h, W) if h.dim() == 3 else (h @ W).add_(b[..., None, :])
        if relu:
            out.relu_()
        error = out - x
        root = None if importance is None else importance[..., None, :].sqrt()
        if root is not None:
            error.mul_(root)
        # a norm is the fastest sum of squares; the weights of samples are put on small tensors only
        loss = (torch.linalg.vector_norm(error, dim=-1).square() * weight).sum(-1)
        if root is not None:
            error.mul_(root)
        if relu:
            torch.ops.aten.threshold_backward.grad_input(error, out, 0.0, grad_input=error)
        weight = 2.0 * weight[..., None]
        by_W = (h * weight).mT @ error + ((error @ W.mT) * weight).mT @ x
        ctx.save_for_backward(by_W, (weight.mT @ error).squeeze(-2))
        return loss

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_W, by_b = ctx.saved_tensors
        return grad[..., None, None] * by_W, grad[..., None] * by_b, None, None, None, None


def reconstruction_loss(
    parameters: Parameters, batch: Batch, importance: Float[Tensor, "*#instance n"] | None, output: Output
) -> Float[Tensor, "*instance"]:
    """E_x Σ_i I_i (x_i − x'_i)² of each instance (Elhage et al. 2022, 'Demonstrating superposition').

    The batch may lack leading instance axes, which then share it. `importance` None means 1 for all features.
    """
    return _Reconstruction.apply(*parameters, batch.x, batch.weight, importance, output == "relu")
