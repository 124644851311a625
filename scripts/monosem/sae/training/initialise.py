"""State before the first step: the scale of the data, b_dec and decoder; the encoder is the architecture's own."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.parameters import Parameters, unit_rows_
from scripts.monosem.sae.training.equations import equations_of

SAMPLE = 16_384  # rows from which scale, variance and b_dec are estimated
FIRST = 1024  # of these rows, from which the length of the first encoder is estimated
SHORT = 0.1  # length of the first rows of a ReLU encoder that starts as the decoder's transpose


ACTIVATIONS_NOT_FINITE = (
    "the activations hold NaN or infinity; the same command with `--forcerun extract_activations` added makes them anew"
)


@dataclass(frozen=True)
class Statistics:
    """Scale and variance of the data, estimated before training."""

    scale: float
    """s: training sees s·x, so that E‖s·x‖² = d_in whatever the model."""
    variance: float
    """Mean ‖x − x̄‖² of the scaled data."""


def statistics(sample: Float[Tensor, "n d_in"]) -> Statistics:
    """Scale and variance from a sample of raw activations.

    Raises: ValueError when the sample holds NaN or infinity, or is constant.
    """
    sample = sample.double()
    power = sample.square().sum(1).mean().item()
    if not torch.isfinite(torch.tensor(power)):
        raise ValueError(ACTIVATIONS_NOT_FINITE)
    variance = (sample - sample.mean(0)).square().sum(1).mean().item()
    if variance <= 1e-12 * power or power == 0:
        raise ValueError("the activations are constant: there is nothing to learn; check the site and the model")
    scale = (sample.shape[1] / power) ** 0.5
    return Statistics(scale, variance * scale**2)


def geometric_median(x: Float[Tensor, "n d"], iterations: int = 100, tolerance: float = 1e-6) -> Float[Tensor, " d"]:
    """The point with the least sum of distances to the rows: Weiszfeld's algorithm, from the mean.

    Stops when a step is shorter than `tolerance` × the mean distance.
    """
    point = x.mean(0)
    for _ in range(iterations):
        distance = torch.linalg.vector_norm(x - point, dim=1)
        typical = distance.mean()
        if typical == 0:
            break
        weight = 1 / distance.clamp_min(1e-9 * typical.item())
        moved = (weight @ x) / weight.sum()
        step = torch.linalg.vector_norm(moved - point)
        point = moved
        if step < tolerance * typical:
            break
    return point


def start_b_dec(sample: Float[Tensor, "n d_in"], how: str) -> Float[Tensor, " d_in"]:
    """b_dec at the geometric median (Bricken et al. 2023), the mean, or zero."""
    if how == "geometric_median":
        return geometric_median(sample)
    return sample.mean(0) if how == "mean" else torch.zeros_like(sample[0])


def start_decoder(
    sample: Float[Tensor, "n d_in"], b_dec: Float[Tensor, " d_in"], config: SaeConfig, generator: torch.Generator
) -> Float[Tensor, "d_sae d_in"]:
    """Unit rows: random directions, or those of random centred rows of the data, so that each latent soon fires.

    Where there are more latents than rows in the sample, the rest are random directions.
    """
    decoder = torch.randn(config.d_sae, sample.shape[1], generator=generator)
    if config.decoder_init == "data":
        chosen = torch.randperm(len(sample), generator=generator)[: config.d_sae]
        decoder[: len(chosen)] = sample[chosen] - b_dec
    unit_rows_(decoder)
    return decoder


def start_parameters(sample: Float[Tensor, "n d_in"], config: SaeConfig, generator: torch.Generator) -> Parameters:
    """Parameters before the first step; `sample` is scaled data on the CPU, and so is the result."""
    b_dec = start_b_dec(sample, config.b_dec_init)
    decoder = start_decoder(sample, b_dec, config, generator)
    return equations_of(config.architecture).start(sample, b_dec, decoder, config, generator)


def first_pre_activations(
    sample: Float[Tensor, "n d_in"], b_dec: Float[Tensor, " d_in"], decoder: Float[Tensor, "d_sae d_in"]
) -> tuple[Float[Tensor, "batch d_in"], Float[Tensor, "batch d_sae"]]:
    """The first rows of the sample, centred, and their pre-activations with the decoder's transpose as encoder."""
    centred = (sample - b_dec)[:FIRST]
    return centred, centred @ decoder.t()


def length_ratio(
    centred: Float[Tensor, "batch d_in"], reconstruction: Float[Tensor, "batch d_in"]
) -> Float[Tensor, ""]:
    """The factor that brings reconstructions closest to the data: of the encoder, so that they start at its length."""
    return (reconstruction * centred).sum() / reconstruction.square().sum().clamp_min(1e-30)
