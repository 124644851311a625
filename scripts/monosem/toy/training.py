"""Training a stack of small models as one tensor computation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core import adam
from scripts.monosem.core.job import Progress
from scripts.monosem.toy.data import Batch

Stack = TypeVar("Stack", bound=tuple)


EPSILON = 1e-8
"""Adam's, torch's default."""
EVALUATION_BLOCK = 1024
"""Samples scored at a time, so that memory is bounded."""


@dataclass(frozen=True)
class Optimisation:
    """Length, batch and learning rate of a training."""

    steps: int
    """Adam steps."""
    batch_size: int
    """Samples per step and level of sparsity."""
    learning_rate: float
    """Constant for the first half of the steps, then linear to zero."""


def learning_rate_at(step: int, optimisation: Optimisation) -> float:
    """The learning rate of step 0, 1, …, steps − 1."""
    return optimisation.learning_rate * min(1.0, 2.0 * (1.0 - step / optimisation.steps))


def train(
    parameters: Stack,
    loss: Callable[[Stack, Batch], Float[Tensor, "*instance"]],
    draw: Callable[[int, Generator], Batch],
    optimisation: Optimisation,
    generator: Generator,
    label: str = "steps",
    observe: Callable[[int, Stack], None] | None = None,
) -> Stack:
    """Minimise every instance's loss with Adam; fresh samples at each step.

    `parameters` is a named tuple of tensors that begin with the same instance axes; `loss` gives one number each.
    The sum over instances is differentiated; Adam acts on each number alone, so instances do not influence one another.
    `observe` sees the parameters before each step and after the last; it must not change them.
    """
    leaves = type(parameters)(*(tensor.clone().requires_grad_() for tensor in parameters))
    moments = [[torch.zeros_like(leaf) for leaf in leaves] for _ in range(2)]
    steps = [leaf.new_zeros(()).detach() for leaf in leaves]
    progress = Progress(optimisation.steps, label)
    for step in range(optimisation.steps):
        if observe:
            observe(step, type(parameters)(*(tensor.detach() for tensor in leaves)))
        losses = loss(leaves, draw(optimisation.batch_size, generator))
        gradients = torch.autograd.grad(losses.sum(), list(leaves))
        adam.step_(list(leaves), list(gradients), *moments, steps, learning_rate_at(step, optimisation), EPSILON)
        if step % 100 == 99 or step + 1 == optimisation.steps:
            progress.update(step + 1, loss=float(losses.detach().mean()))
    trained = type(parameters)(*(tensor.detach() for tensor in leaves))
    if observe:
        observe(optimisation.steps, trained)
    return trained


@torch.no_grad()
def evaluate(
    parameters: Stack,
    loss: Callable[[Stack, Batch], Float[Tensor, "*instance"]],
    draw: Callable[[int, Generator], Batch],
    n_samples: int,
    generator: Generator,
    block: int = EVALUATION_BLOCK,
) -> Float[np.ndarray, "*instance"]:
    """Mean loss of every instance on fresh samples, in whole blocks, added up in float64."""
    blocks = max(1, n_samples // block)
    return sum(loss(parameters, draw(block, generator)).double().cpu().numpy() for _ in range(blocks)) / blocks


def best_restarts(parameters: Stack, losses: Float[np.ndarray, "restart level"]) -> Stack:
    """The restart of least loss at each level, on the CPU: the first axis of every tensor goes."""
    best, level = losses.argmin(axis=0), np.arange(losses.shape[1])
    return type(parameters)(*(tensor[best, level].cpu() for tensor in parameters))
