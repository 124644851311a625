"""Gated: Rajamanoharan et al. 2024, 'Improving dictionary learning with gated sparse autoencoders', equations 5 to 8.

    c = (x − b_dec) W_enc,   π = c + b_gate,   m = exp(r_mag) · c + b_mag
    f = H(π) · relu(m),      x̂ = f W_dec + b_dec,   ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i relu(π_i) + Σ_d (x − x̂_frozen(relu(π)))² ]

H is the step function: the gate learns from the last two terms alone, the magnitudes from the first alone. x̂_frozen
decodes with copies of W_dec and b_dec that get no gradient. `Parameters.b_enc` holds b_gate.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome, encode
from scripts.monosem.sae.losses.support import fired, support_of
from scripts.monosem.sae.parameters import Parameters


def step(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float, buffers: dict[str, Tensor]) -> Outcome:
    """Loss and gradients of one batch."""
    n, scale = len(x), weights.r_mag.exp()
    centred, pi = encode(weights, x, buffers)
    support = support_of(pi, pi > 0)
    gate = support.own
    c = gate - support.column(weights.b_enc)
    scale_at = support.column(scale)
    f = (c * scale_at + support.column(weights.b_mag)).relu_()
    reconstruction, pullback = support.decode(f, weights.decoder)
    via_gate, gate_pullback = support.decode(gate, weights.decoder)
    error, gate_error = reconstruction - centred, via_gate - centred
    slope = error * (2 / n)
    magnitude_slope = pullback(slope) * (f > 0)  # ∂L/∂m
    gate_slope = gate_pullback(gate_error * (2 / n)) + support.column(torch.full_like(scale, l1 / n))  # ∂L/∂π
    scaled_slope = magnitude_slope * scale_at
    value_slope = gate_slope + scaled_slope  # ∂L/∂c
    gradients = Parameters(
        encoder=support.outer(value_slope, centred),
        b_enc=support.total(gate_slope),
        decoder=support.outer(f, slope),
        b_dec=slope.sum(0) - support.total(value_slope) @ weights.encoder,
        r_mag=support.total(scaled_slope * c),
        b_mag=support.total(magnitude_slope),
    )
    squared_error = torch.linalg.vector_norm(error).square()
    loss = squared_error + l1 * gate.sum() + torch.linalg.vector_norm(gate_error).square()
    return Outcome(gradients, fired(f, support), loss, squared_error, torch.count_nonzero(f))
