"""Where training starts: the scale of the data, b_dec, encoder and decoder."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.parameters import Parameters, unit_rows_

SAMPLE = 16_384  # rows from which scale, variance and b_dec are estimated


@dataclass(frozen=True)
class Statistics:
    """What training needs to know of the data beforehand."""

    scale: float  # s: training sees s·x, so that E‖s·x‖² = d_in whatever the model
    variance: float  # mean ‖x − x̄‖² of the scaled data


def statistics(sample: Float[Tensor, "n d_in"]) -> Statistics:
    """Scale and variance from a sample of raw activations.

    Raises: ValueError when the sample holds NaN or infinity, or is constant.
    """
    sample = sample.double()
    power = sample.square().sum(1).mean().item()
    if not torch.isfinite(torch.tensor(power)):
        raise ValueError("the activations hold NaN or infinity; delete them and extract them again")
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


def start_parameters(sample: Float[Tensor, "n d_in"], config: SaeConfig, generator: torch.Generator) -> Parameters:
    """Parameters before the first step; `sample` is scaled data on the CPU, and so is the result.

    relu: Kaiming-uniform encoder as torch.nn.Linear has it, decoder of its own (Bricken et al. 2023: untied).
    topk: random unit decoder, encoder its transpose, scaled so that the first reconstructions have the data's length
    (Gao et al. 2024 and the released code).
    """
    d_in = sample.shape[1]
    b_dec = start_b_dec(sample, config.b_dec_init)
    decoder = torch.randn(config.d_sae, d_in, generator=generator)
    unit_rows_(decoder)
    b_enc = torch.zeros(config.d_sae)
    if config.architecture == "relu":
        bound = d_in**-0.5
        encoder = torch.empty(config.d_sae, d_in).uniform_(-bound, bound, generator=generator)
        return Parameters(encoder, b_enc, decoder, b_dec)
    centred = (sample - b_dec)[:1024]
    reconstruction = kernels.decode(kernels.topk_codes(centred @ decoder.t(), config.k), decoder)
    fit = (reconstruction * centred).sum() / reconstruction.square().sum().clamp_min(1e-30)
    return Parameters(decoder * fit, b_enc, decoder, b_dec)
