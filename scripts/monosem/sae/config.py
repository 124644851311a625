"""What a sparse autoencoder is and how it is trained: one frozen dataclass, made from one dict of config.yaml."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Resampling:
    """When and from how many inputs dead latents are resampled (Bricken et al. 2023), as shares of the run."""

    at: tuple[
        float, ...
    ]  # shares of the steps after which resampling happens (paper: .025, .05, .075, .1 of 1 M steps)
    window: float  # a latent is dead if it fired never in this last share of the steps (paper: .0125)
    inputs: int  # random inputs whose loss decides which of them become latents (paper: 819,200)


@dataclass(frozen=True)
class SaeConfig:
    """Every parameter of one training run."""

    architecture: Literal["relu", "topk"]  # ReLU + L1 (Bricken et al. 2023) or TopK with AuxK (Gao et al. 2024)
    d_sae: int  # number of latents
    vectors: int  # activations seen in training; more than there are rows means more than one epoch
    batch_size: int = 4096  # vectors per step
    learning_rate: float = 1e-3  # of Adam, at data scaled to E‖x‖² = d_in
    warmup_steps: int = 50  # linear rise of the learning rate at the start
    rewarm_steps: int = 10  # the same after each resampling: Adam's cleared moments make the first steps large
    decay_share: float = 0.2  # the last share of the steps lowers the learning rate linearly to zero
    b_dec_init: Literal["geometric_median", "mean", "zero"] = "geometric_median"  # where b_dec starts
    precision: Literal["auto", "float32", "bfloat16"] = "float32"  # of the dense product; auto: as the machine likes
    dead_after_vectors: int | None = None  # a latent silent for longer is dead (None: a tenth of the run)
    k: int | None = None  # topk: latents kept per vector
    aux_k: int = 256  # topk: dead latents that try to explain the error
    aux_coefficient: float = 1 / 32  # topk: weight of that auxiliary loss, both losses normalised
    l1_coefficient: float | None = None  # relu: λ at data scaled to E‖x‖² = d_in, loss Σ_d (x−x̂)² + λ Σ f
    l1_warmup_share: float = 0.0  # relu: share of the steps over which λ rises linearly to its value
    resample: Resampling | None = None  # relu: resampling of dead latents

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return math.ceil(self.vectors / self.batch_size)

    @property
    def dead_after(self) -> int:
        """Vectors after which a silent latent counts as dead."""
        return self.dead_after_vectors if self.dead_after_vectors is not None else max(1, self.vectors // 10)

    @property
    def resample_steps(self) -> tuple[int, ...]:
        """Steps (counted from 1) after which dead latents are resampled."""
        return tuple(max(1, round(share * self.steps)) for share in self.resample.at) if self.resample else ()


def from_params(params: dict[str, Any]) -> SaeConfig:
    """A dict of config.yaml (defaults merged with the run; a `seed` in it is not part of the SAE) -> SaeConfig.

    Raises: ValueError in one sentence for an unknown key, or a parameter that the architecture needs and lacks.
    """
    params = {key: value for key, value in params.items() if key != "seed" and value is not None}
    known = {field.name for field in dataclasses.fields(SaeConfig)}
    if unknown := sorted(set(params) - known):
        raise ValueError(f"SAE run: unknown key '{unknown[0]}'; known are {', '.join(sorted(known))}")
    if "resample" in params:
        params["resample"] = Resampling(**{**params["resample"], "at": tuple(params["resample"]["at"])})
    config = SaeConfig(**params)
    needed = {"relu": "l1_coefficient", "topk": "k"}
    if config.architecture not in needed:
        raise ValueError(f"SAE run: architecture '{config.architecture}' is none of {', '.join(needed)}")
    if getattr(config, needed[config.architecture]) is None:
        raise ValueError(f"SAE run: architecture '{config.architecture}' needs '{needed[config.architecture]}'")
    if config.architecture == "topk" and not 1 <= config.k <= config.d_sae:
        raise ValueError(f"SAE run: k = {config.k} must lie between 1 and d_sae = {config.d_sae}")
    return config
