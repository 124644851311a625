"""ReLU with L1 weighted by decoder norms: Anthropic, 'Circuits Updates – April 2024', 'Update on how we train SAEs'.

    f = relu(x W_enc + b_enc)
    x̂ = f W_dec + b_dec,  rows of W_dec of any length
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ‖W_dec_i‖ ]

The penalty does not change when a row of W_dec grows and its latent shrinks, so that no unit-norm constraint is needed.
b_dec is not subtracted before the encoder; here it is, and folding adds back what that amounts to (see fold.py).

Training starts with decoder rows of length 0.1 and an encoder that is the decoder's transpose, as there.
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
    position=2,
    label="ReLU + L1 × norm",
    marker="v",
    required=("l1_coefficient",),
    optional=("l1_warmup_share", "decoder_init"),
    saved_as="standard",
    on_where="z > 0",
    trained_on="λ·L1 weighted by row lengths, which are free (Anthropic, April 2024)",
    use_for="ReLU without resampling; shrinks activations as every L1 does",
    unit_rows=False,
    pre_encoder_bias=False,
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """A short decoder and its transpose."""
    decoder = decoder * SHORT
    return Parameters(decoder.clone(), torch.zeros(len(decoder)), decoder, b_dec)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    l1 = warmed_up(config.l1_coefficient, config.l1_warmup_share, at.step, config.steps)
    result = step(with_pre_bias(at.weights), x, l1, buffers, config.precision)
    return replace(result, gradients=gradients_without_pre_bias(result.gradients, at.weights))


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
    l1: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch."""
    n, norms = len(x), torch.linalg.vector_norm(weights.decoder, dim=1)
    support = support_above(weights, x, 0.0, precision, buffers)
    f = support.pre_acts
    result = support.reconstruct(f, 2 / n)
    mass, squared_error = support.total(f), result.squares.sum()
    of_weights = gradients(support, result.grad_values + support.per_latent(norms * (l1 / n)), f, result.grad_decoded)
    of_weights.decoder.addcmul_(weights.decoder, (mass * (l1 / n) / norms.clamp_min(1e-12)).unsqueeze(1))
    return Outcome(of_weights, mass > 0, squared_error + l1 * (mass @ norms), squared_error, support.active)
