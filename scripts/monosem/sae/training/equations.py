"""The functions of an architecture's file, imported when a run needs them."""

from importlib import import_module
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae import architectures
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.losses import Outcome, TrainingPoint
from scripts.monosem.sae.parameters import Parameters


@runtime_checkable
class Equations(Protocol):
    """Functions of a file in architectures/.

    Where dead latents can be resampled there is also loss_per_input(at, config, x), the training loss of each input.
    """

    def start(
        self,
        sample: Float[Tensor, "n d_in"],
        b_dec: Float[Tensor, " d_in"],
        decoder: Float[Tensor, "d_sae d_in"],
        config: SaeConfig,
        generator: torch.Generator,
    ) -> Parameters:
        """Parameters before the first step, from scaled data and a decoder of unit rows."""

    def outcome(
        self, at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
    ) -> Outcome:
        """Loss and gradients of the next step on scaled data."""


def equations_of(architecture: str) -> Equations:
    """The module of an architecture."""
    return import_module(f"{architectures.__name__}.{architecture}")
