"""ReLU with L1 weighted by decoder norms: Anthropic, 'Circuits Updates – April 2024', 'Update on how we train SAEs'.

    f = relu(x W_enc + b_enc)
    x̂ = f W_dec + b_dec,  rows of W_dec of any length
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ‖W_dec_i‖ ]

The penalty does not change when a row of W_dec grows and its latent shrinks, so that no unit-norm constraint is needed.
b_dec is not subtracted before the encoder; here it is, and folding adds back what that amounts to (see fold.py).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome
from scripts.monosem.sae.losses.active_entries import gradients, support_above
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
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
    found = gradients(support, result.grad_values + support.per_latent(norms * (l1 / n)), f, result.grad_decoded)
    found.decoder.addcmul_(weights.decoder, (mass * (l1 / n) / norms.clamp_min(1e-12)).unsqueeze(1))
    return Outcome(found, mass > 0, squared_error + l1 * (mass @ norms), squared_error, support.active)
