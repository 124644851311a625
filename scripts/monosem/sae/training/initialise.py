"""Where training starts: the scale of the data, b_dec, encoder and decoder."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.config import SPARSE_BY_COUNT, SaeConfig
from scripts.monosem.sae.kernels import select, sparse
from scripts.monosem.sae.parameters import Parameters, unit_rows_

SAMPLE = 16_384  # rows from which scale, variance and b_dec are estimated
SHORT = 0.1  # length of the first rows of a ReLU encoder that starts as the decoder's transpose


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
    """Parameters before the first step; `sample` is scaled data on the CPU, and so is the result.

    relu: unit decoder, encoder a tenth of its transpose: where dictionary_learning's StandardTrainer is after its first
    step, and Anthropic's Circuits Updates of April 2024 but for the decoder's length, which is fixed here. With
    `encoder_init: kaiming` the encoder is drawn as torch.nn.Linear draws it, independent of the decoder (Bricken et al.
    2023); training then spends its first steps on bringing the two together.
    relu_decoder_norm: decoder rows of length 0.1, encoder its transpose (Anthropic, April 2024).
    The others: unit decoder, encoder its transpose, scaled so that the first reconstructions have the data's
    length (Gao et al. 2024 and the released code), from the latents that the architecture itself would keep: a batch
    gives most of its latents to long vectors, which the scale of TopK would make many times too long. A gated one
    starts with r_mag and all biases at 0; the thresholds of a JumpReLU one start at one value for all, which `start_l0`
    latents per vector exceed.
    """
    d_sae = config.d_sae
    b_dec = start_b_dec(sample, config.b_dec_init)
    decoder = start_decoder(sample, b_dec, config, generator)
    b_enc = torch.zeros(d_sae)
    if config.architecture == "relu":
        return Parameters(_start_relu_encoder(decoder, config, generator), b_enc, decoder, b_dec)
    if config.architecture == "relu_decoder_norm":
        decoder *= SHORT
        return Parameters(decoder.clone(), b_enc, decoder, b_dec)
    centred = (sample - b_dec)[:1024]
    pre = centred @ decoder.t()
    threshold, extra = torch.zeros(()), {}
    if config.architecture == "topk":
        reconstruction = sparse.decode(select.topk_codes(pre, config.k), decoder)
    elif config.architecture in SPARSE_BY_COUNT:
        count = config.k * len(pre)
        codes, _ = select.largest_of_batch(select.batch_candidates(pre, count), count)
        reconstruction = sparse.decode(codes, decoder)
    else:
        if config.architecture == "jumprelu":
            above = max(1, round(min(1.0, config.start_l0 / d_sae) * pre.numel()))
            threshold = pre.flatten().topk(above).values[-1].clamp_min(0)
        reconstruction = (pre * (pre > threshold)) @ decoder
    fit = (reconstruction * centred).sum() / reconstruction.square().sum().clamp_min(1e-30)
    if config.architecture == "jumprelu":
        extra = {"threshold": torch.full((d_sae,), (threshold * fit).item())}
    elif config.architecture == "gated":
        extra = {"r_mag": torch.zeros(d_sae), "b_mag": torch.zeros(d_sae)}
    return Parameters(decoder * fit, b_enc, decoder, b_dec, **extra)


def _start_relu_encoder(
    decoder: Float[Tensor, "d_sae d_in"], config: SaeConfig, generator: torch.Generator
) -> Float[Tensor, "d_sae d_in"]:
    if config.tied_decoder:
        return decoder.clone()
    if config.encoder_init == "transpose":
        return decoder * SHORT
    bound = decoder.shape[1] ** -0.5
    return torch.empty_like(decoder).uniform_(-bound, bound, generator=generator)
