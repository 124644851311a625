"""ReLU with L1 weighted by decoder norms: Anthropic, 'Circuits Updates – April 2024', 'Update on how we train SAEs'.

    f = relu(x W_enc + b_enc)
    x̂ = f W_dec + b_dec,  rows of W_dec of any length
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ‖W_dec_i‖ ]

The penalty does not change when a row of W_dec grows and its latent shrinks, so that no unit-norm constraint is needed.
b_dec is not subtracted before the encoder; here it is, and folding adds back what that amounts to (see pre_bias.py).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome, encode
from scripts.monosem.sae.losses.support import fired, support_of
from scripts.monosem.sae.parameters import Parameters


def step(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float, buffers: dict[str, Tensor]) -> Outcome:
    """Loss and gradients of one batch."""
    n, norms = len(x), torch.linalg.vector_norm(weights.decoder, dim=1)
    centred, pre = encode(weights, x, buffers)
    support = support_of(pre, pre > 0)
    f = support.own
    reconstruction, pullback = support.decode(f, weights.decoder)
    error = reconstruction - centred
    slope = error * (2 / n)
    value_slope = pullback(slope) + support.column(norms * (l1 / n))
    mass, b_enc = support.total(f), support.total(value_slope)
    gradients = Parameters(
        encoder=support.outer(value_slope, centred),
        b_enc=b_enc,
        decoder=support.outer(f, slope) + weights.decoder * (mass * (l1 / n) / norms.clamp_min(1e-12)).unsqueeze(1),
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
    )
    squared_error = torch.linalg.vector_norm(error).square()
    active = torch.count_nonzero(f)
    return Outcome(gradients, fired(f, support), squared_error + l1 * (mass @ norms), squared_error, active)
