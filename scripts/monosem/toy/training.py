"""Training a stack of small models as one tensor computation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.joblog import Progress
from scripts.monosem.toy.data import Batch

Stack = TypeVar("Stack", bound=tuple)


@dataclass(frozen=True)
class Optimisation:
    """How a stack is trained."""

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
    adam = torch.optim.Adam(list(leaves), lr=optimisation.learning_rate, fused=True)
    progress = Progress(optimisation.steps, label)
    for step in range(optimisation.steps):
        if observe:
            observe(step, type(parameters)(*(tensor.detach() for tensor in leaves)))
        for group in adam.param_groups:
            group["lr"] = learning_rate_at(step, optimisation)
        losses = loss(leaves, draw(optimisation.batch_size, generator))
        adam.zero_grad()
        losses.sum().backward()
        adam.step()
        if step % 100 == 99 or step + 1 == optimisation.steps:
            progress.update(step + 1, loss=float(losses.detach().mean()))
    trained = type(parameters)(*(tensor.detach() for tensor in leaves))
    if observe:
        observe(optimisation.steps, trained)
    return trained
