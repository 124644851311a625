"""Parameters of a sparse autoencoder and its training: the one declaration of their names, ranges and defaults."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from scripts.monosem.core import declaration
from scripts.monosem.core.declaration import Count, InnerShare, Keyword, Positive, Share, Weight, Whole
from scripts.monosem.sae.architectures import ARCHITECTURES, foreign_keys, missing_key

PREFIX_SHARES = (1 / 32, 3 / 32, 7 / 32, 15 / 32, 1)  # Bussmann et al. 2025: 2,048 … 65,536 of 65,536 latents


@dataclass(frozen=True)
class Resampling:
    """When and from how many inputs dead latents are resampled (Bricken et al. 2023), as shares of the run."""

    at: Annotated[tuple[InnerShare, ...], MinLen(1)]
    """Shares of the steps after which resampling happens (paper: .025, .05, .075, .1 of 1 M steps)."""
    window: InnerShare
    """A latent is dead if it never fired in this last share of the steps (paper: .0125)."""
    inputs: Count
    """Random inputs whose loss decides which of them become latents (paper: 819,200)."""


@dataclass(frozen=True)
class SaeConfig:
    """Every parameter of one training run; `ARCHITECTURES` says which architecture has which."""

    architecture: Annotated[str, Keyword("enum", tuple(ARCHITECTURES))]
    """A file of architectures/: the constraint or penalty that keeps the latents sparse."""
    d_sae: Count
    """Latents."""
    vectors: Count
    """Activation vectors seen in training; more than there are rows means more than one epoch."""
    batch_size: Count = 1024
    """Vectors per step."""
    learning_rate: Positive = 0.003
    """Of Adam, at data scaled to E‖x‖² = d_in."""
    warmup_steps: Whole = 20
    """Linear rise of the learning rate at the start."""
    rewarm_steps: Whole = 10
    """The same after each resampling: Adam's cleared moments make the first steps large."""
    decay_share: Share = 0.2
    """The last share of the steps lowers the learning rate linearly to zero."""
    b_dec_init: Literal["geometric_median", "mean", "zero"] = "geometric_median"
    """Where b_dec starts."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the encoder's dense product; auto: bfloat16 where the hardware supports it."""
    decoder_init: Literal["random", "data"] = "random"
    """All but relu: the decoder's rows start in random directions, or at data."""
    encoder_init: Literal["transpose", "kaiming"] = "transpose"
    """relu: the first encoder is a tenth of the decoder's transpose, or drawn like torch.nn.Linear's."""
    dead_after_vectors: Count | None = None
    """A latent silent for longer is dead (None: a tenth of the run)."""
    k: Count | None = None
    """topk, batchtopk, matryoshka_batchtopk: latents kept per vector; on average over the batch except for topk."""
    aux_k: Count = 256
    """AuxK, with k: dead latents that try to explain the error."""
    aux_coefficient: Weight = 1 / 32
    """AuxK, with k: weight of that auxiliary loss, both losses normalised."""
    prefixes: Annotated[tuple[Count, ...], MinLen(1)] | None = None
    """matryoshka_batchtopk: nested widths, the last d_sae (None: PREFIX_SHARES of it)."""
    l1_coefficient: Weight | None = None
    """relu, relu_decoder_norm, gated: λ of an L1 norm at data scaled to E‖x‖² = d_in, beside Σ_d (x−x̂)²."""
    l1_warmup_share: Share = 0.0
    """Share of the steps over which that λ rises linearly to its value."""
    l0_coefficient: Weight | None = None
    """jumprelu: λ of the L0 norm at the same scale."""
    l0_warmup_share: Share = 0.0
    """Share of the steps over which that λ rises linearly to its value."""
    bandwidth: Positive = 0.5
    """jumprelu: ε, width of the kernel that estimates densities at the threshold."""
    threshold_rate: Positive = 10.0
    """jumprelu: learning rate of θ over that of the other parameters."""
    start_l0: Positive = 64.0
    """jumprelu: L0 before the first step, which decides where all θ start."""
    resample: Resampling | None = None
    """relu: resampling of dead latents; None: never."""
    pre_encoder_bias: bool = True
    """relu: b_dec is subtracted before the encoder."""
    tied_decoder: bool = False
    """relu: the encoder is the decoder's transpose."""
    project_gradient: bool = True
    """relu: the decoder's gradient loses its part along the rows before Adam sees it."""

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

    @property
    def nested_widths(self) -> tuple[int, ...]:
        """Matryoshka: numbers of latents that each reconstruct alone, the last being all."""
        if self.prefixes is not None:
            return self.prefixes
        return tuple(dict.fromkeys(max(1, round(share * self.d_sae)) for share in PREFIX_SHARES))

    @property
    def unit_rows(self) -> bool:
        """True if the decoder's rows are kept at length 1."""
        return ARCHITECTURES[self.architecture].unit_rows

    def used(self) -> dict[str, Any]:
        """The parameters that this architecture has, None left out."""
        foreign = foreign_keys(self.architecture)
        return {key: v for key, v in dataclasses.asdict(self).items() if key not in foreign and v is not None}


def contradictions(params: Mapping[str, Any]) -> Iterator[str]:
    """Sentences that begin with a key: one that the architecture needs and lacks, a number of latents above d_sae,
    nested widths that do not rise to it. Nulls are left out of the parameters beforehand.
    """
    architecture, d_sae = params["architecture"], params["d_sae"]
    if needed := missing_key(architecture, params):
        yield f"{needed} is missing: the architecture {architecture} needs it"
    for key in ("k", "start_l0"):
        if key in ARCHITECTURES[architecture].keys and params.get(key, 0) > d_sae:
            yield f"{key}: expected at most d_sae = {d_sae}, found {params[key]}"
    prefixes = list(params.get("prefixes", [d_sae]))
    if prefixes != sorted({*prefixes}) or prefixes[-1] != d_sae:
        yield f"prefixes: expected numbers that rise to d_sae = {d_sae}, found {prefixes}"


def from_params(params: Mapping[str, Any]) -> SaeConfig:
    """The configuration of one run, from sae.defaults merged with the run; nulls and a `seed` are dropped.

    Raises: ValueError in one sentence for an unknown key, or the first of the contradictions.
    """
    params = {key: value for key, value in params.items() if value is not None}
    config = declaration.from_params(SaeConfig, params, "SAE run")
    if config.architecture not in ARCHITECTURES:
        raise ValueError(f"SAE run: architecture '{config.architecture}' is none of {', '.join(ARCHITECTURES)}")
    for wrong in contradictions(params):
        raise ValueError(f"SAE run: {wrong}")
    return config
