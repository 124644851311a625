"""The project's sparse autoencoders on activations whose true features are known."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.sae import config as sae_config
from scripts.monosem.sae import model
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.training import loop as sae_training

PRECISION = "float32"
"""Of SAEs whose settings name none: so small that bfloat16 gains nothing, and numbers depend less on the machine."""


@dataclass(frozen=True)
class Vectors:
    """Activations in memory, in the form the SAE trainer reads."""

    rows: Float[Tensor, "n d_in"]
    """Raw activations."""

    @property
    def n_tokens(self) -> int:
        """Number of rows."""
        return self.rows.shape[0]

    @property
    def d_in(self) -> int:
        """Width of a row."""
        return self.rows.shape[1]

    def gather(self, indices: Int[np.ndarray, " n"]) -> Float[Tensor, "n d_in"]:
        """The rows at `indices`."""
        return self.rows[torch.from_numpy(indices)]


def train(read: Vectors, params: dict[str, Any], seed: int, device: str = "cpu") -> model.Sae:
    """Train one SAE with the project's trainer; `params` are keys of SaeConfig. Returns it on the CPU."""
    config = sae_config.from_params({"precision": PRECISION, **params})
    with tempfile.TemporaryDirectory() as folder:
        weights, _ = sae_training.train(
            read, config, seed, Path(folder, "checkpoint"), Path(folder, "curve.jsonl"), device=device,
            say=lambda text: None,
        )  # fmt: skip
    return model.from_tensors({"architecture": ARCHITECTURES[config.architecture].saved_as, "k": config.k}, weights)
