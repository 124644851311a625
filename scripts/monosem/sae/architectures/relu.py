"""ReLU with an L1 penalty: Bricken et al. 2023, 'Towards Monosemanticity'.

    f = relu((x − b_dec) W_enc + b_enc)
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ]

The paper writes the mean over d of the squared error; its λ is ours divided by d_in. At data scaled by s (x' = s x)
this is s² times the same loss on raw data with λ_raw = λ / s.

Training starts with a unit decoder and an encoder of a tenth of its transpose: where dictionary_learning's
StandardTrainer is after its first step, and Anthropic's Circuits Updates of April 2024 but for the decoder's length,
which is fixed here. With `encoder_init: kaiming` the encoder is drawn as torch.nn.Linear draws it, independent of the
decoder (Bricken et al. 2023); training then spends its first steps on bringing the two together.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.fold import gradients_without_pre_bias, with_pre_bias
from scripts.monosem.sae.losses import Outcome, TrainingPoint, warmed_up
from scripts.monosem.sae.losses.active_entries import gradients, support_above
from scripts.monosem.sae.parameters import Parameters
from scripts.monosem.sae.training.initialise import SHORT

ARCHITECTURE = Architecture(
    position=1,
    label="ReLU + L1",
    marker="^",
    required=("l1_coefficient",),
    optional=("l1_warmup_share", "resample", "encoder_init", "pre_encoder_bias", "tied_decoder", "project_gradient"),
    saved_as="standard",
    on_where="its pre-activation z > 0",
    trained_on="λ·L1; unit rows, gradient along them removed; dead latents resampled",
    use_for="the recipe of Bricken et al. 2023 and its ablations: `encoder_init`, `pre_encoder_bias`, "
    "`tied_decoder`, `project_gradient`",
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """Encoder along the decoder or independent of it, as `encoder_init` says; the decoder itself if they are tied."""
    if config.tied_decoder:
        encoder = decoder.clone()
    elif config.encoder_init == "transpose":
        encoder = decoder * SHORT
    else:
        bound = decoder.shape[1] ** -0.5
        encoder = torch.empty_like(decoder).uniform_(-bound, bound, generator=generator)
    return Parameters(encoder, torch.zeros(len(decoder)), decoder, b_dec)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    l1 = warmed_up(config.l1_coefficient, config.l1_warmup_share, at.step, config.steps)
    if config.pre_encoder_bias:
        return step(at.weights, x, l1, buffers, config.precision)
    result = step(with_pre_bias(at.weights), x, l1, buffers, config.precision)
    return replace(result, gradients=gradients_without_pre_bias(result.gradients, at.weights))


def loss_per_input(at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, " batch"]:
    """The loss of each input, for resampling."""
    weights = at.weights if config.pre_encoder_bias else with_pre_bias(at.weights)
    return per_input(weights, x, warmed_up(config.l1_coefficient, config.l1_warmup_share, at.step, config.steps))


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
    l1: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch: dense while many latents are active, sparse as soon as few are."""
    n = len(x)
    support = support_above(weights, x, 0.0, precision, buffers)
    f = support.pre_acts
    result = support.reconstruct(f, 2 / n)
    of_weights = gradients(support, result.grad_values + support.per_latent(l1 / n), f, result.grad_decoded)
    mass, squared_error = support.total(f), result.squares.sum()
    return Outcome(of_weights, mass > 0, squared_error + l1 * mass.sum(), squared_error, support.active)


def per_input(weights: Parameters, x: Float[Tensor, "batch d_in"], l1: float) -> Float[Tensor, " batch"]:
    """The loss of each input: Σ_d (x − x̂)² + λ Σ f."""
    centred = x - weights.b_dec
    f = torch.addmm(weights.b_enc, centred, weights.encoder.t()).relu_()
    return (f @ weights.decoder - centred).square().sum(1) + l1 * f.sum(1)
