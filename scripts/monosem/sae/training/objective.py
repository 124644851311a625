"""The loss of a training step, by the equations of the configured architecture."""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.losses import Outcome, TrainingPoint
from scripts.monosem.sae.training.checkpoint import TrainingState
from scripts.monosem.sae.training.equations import equations_of

MEMORY_SHARE = 0.05  # of the steps, over which the smallest kept values are averaged to the inference threshold


def training_point(state: TrainingState, config: SaeConfig) -> TrainingPoint:
    """The part of the state that the loss of the next step may depend on."""
    dead = state.since_fired > config.dead_after
    return TrainingPoint(state.weights, state.step, dead, state.statistics.variance)


def outcome(
    state: TrainingState, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the state's next step on scaled data."""
    return equations_of(config.architecture).outcome(training_point(state, config), config, x, buffers)


def loss_per_input(state: TrainingState, config: SaeConfig, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, " batch"]:
    """The training loss of each input, for resampling."""
    return equations_of(config.architecture).loss_per_input(training_point(state, config), config, x)


def remember_smallest_(state: TrainingState, config: SaeConfig, smallest: Float[Tensor, ""]) -> None:
    """Running mean of the smallest kept values: of all steps at first, then of about the last MEMORY_SHARE."""
    share = max(1 / (state.step + 1), 1 / max(1.0, MEMORY_SHARE * config.steps))
    state.inference_threshold = torch.lerp(state.inference_threshold, smallest.to(state.inference_threshold), share)
