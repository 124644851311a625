"""Gated: Rajamanoharan et al. 2024, 'Improving dictionary learning with gated sparse autoencoders', equations 5 to 8.

    c = (x − b_dec) W_enc,   π = c + b_gate,   m = exp(r_mag) · c + b_mag
    f = H(π) · relu(m),      x̂ = f W_dec + b_dec,   ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i relu(π_i) + Σ_d (x − x̂_frozen(relu(π)))² ]

H is the step function: the gate learns from the last two terms alone, the magnitudes from the first alone. x̂_frozen
decodes with copies of W_dec and b_dec that get no gradient. `Parameters.b_enc` holds b_gate.

Training starts as in topk.py, with all positive latents, r_mag and all biases at 0.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.losses import Outcome, TrainingPoint, warmed_up
from scripts.monosem.sae.losses.active_entries import fired, gradients, support_above
from scripts.monosem.sae.parameters import Parameters
from scripts.monosem.sae.training.initialise import first_pre_activations, length_ratio

ARCHITECTURE = Architecture(
    position=7,
    label="Gated",
    marker="X",
    required=("l1_coefficient",),
    optional=("l1_warmup_share", "decoder_init"),
    saved_as="gated",
    on_where="its gate is open; its size comes from a second bias and scale",
    trained_on="λ·L1 of the gate, error of the gate alone (Rajamanoharan et al. 2024a)",
    use_for="less shrinkage than L1 alone (the scale has to be learnt: in a short run some is left); "
    "a second decoding per step",
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """Encoder along the decoder, as long as the positive latents require."""
    centred, pre = first_pre_activations(sample, b_dec, decoder)
    encoder = decoder * length_ratio(centred, (pre * (pre > 0)) @ decoder)
    b_gate, r_mag, b_mag = (torch.zeros(len(decoder)) for _ in range(3))
    return Parameters(encoder, b_gate, decoder, b_dec, r_mag=r_mag, b_mag=b_mag)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    l1 = warmed_up(config.l1_coefficient, config.l1_warmup_share, at.step, config.steps)
    return step(at.weights, x, l1, buffers, config.precision)


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
    l1: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch."""
    n, scale = len(x), weights.r_mag.exp()
    support = support_above(weights, x, 0.0, precision, buffers)
    gate = support.pre_acts
    via_gate = support.reconstruct(gate, 2 / n)
    grad_gate = via_gate.grad_values + support.per_latent(l1 / n)  # ∂L/∂π

    c, scale_at = gate - support.per_latent(weights.b_enc), support.per_latent(scale)
    f = (c * scale_at + support.per_latent(weights.b_mag)).relu_()
    result = support.reconstruct(f, 2 / n)
    grad_magnitude = result.grad_values * (f > 0)  # ∂L/∂m
    grad_scaled = grad_magnitude * scale_at
    of_weights = replace(
        gradients(support, grad_gate + grad_scaled, f, result.grad_decoded),  # the first is ∂L/∂c
        b_enc=support.total(grad_gate),
        r_mag=support.total(grad_scaled * c),
        b_mag=support.total(grad_magnitude),
    )
    squared_error = result.squares.sum()
    loss = squared_error + l1 * support.total(gate).sum() + via_gate.squares.sum()
    return Outcome(of_weights, fired(f, support), loss, squared_error, torch.count_nonzero(f))
