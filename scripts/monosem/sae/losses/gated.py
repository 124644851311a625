"""Gated: Rajamanoharan et al. 2024, 'Improving dictionary learning with gated sparse autoencoders', equations 5 to 8.

    c = (x − b_dec) W_enc,   π = c + b_gate,   m = exp(r_mag) · c + b_mag
    f = H(π) · relu(m),      x̂ = f W_dec + b_dec,   ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i relu(π_i) + Σ_d (x − x̂_frozen(relu(π)))² ]

H is the step function: the gate learns from the last two terms alone, the magnitudes from the first alone. x̂_frozen
decodes with copies of W_dec and b_dec that get no gradient. `Parameters.b_enc` holds b_gate.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome
from scripts.monosem.sae.losses.active_entries import fired, gradients, support_above
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
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
    found = replace(
        gradients(support, grad_gate + grad_scaled, f, result.grad_decoded),  # the first is ∂L/∂c
        b_enc=support.total(grad_gate),
        r_mag=support.total(grad_scaled * c),
        b_mag=support.total(grad_magnitude),
    )
    squared_error = result.squares.sum()
    loss = squared_error + l1 * support.total(gate).sum() + via_gate.squares.sum()
    return Outcome(found, fired(f, support), loss, squared_error, torch.count_nonzero(f))
