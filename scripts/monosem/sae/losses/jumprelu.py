"""JumpReLU with an L0 penalty: Rajamanoharan et al. 2024, 'Jumping ahead: improving reconstruction fidelity with
JumpReLU sparse autoencoders', equations 9 to 12.

    z = (x − b_dec) W_enc + b_enc
    f = z · H(z − θ),  x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1,  θ_i ≥ 0
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i H(z_i − θ_i) ]

H is the step function. Its derivative is zero almost everywhere, so θ learns from straight-through estimates of the
gradient of the *expected* loss, with the rectangle kernel K(u) = 1 for |u| < 1/2 and width ε:

    ∂f/∂θ = −(θ/ε) K((z − θ)/ε),     ∂H/∂θ = −(1/ε) K((z − θ)/ε)

W_enc and b_enc get the ordinary gradient through f (∂f/∂z = H(z − θ)) and nothing from the penalty. The paper trains
log θ; here θ itself is trained and kept at 0 or above: a step of log θ is proportional to θ, so that small thresholds
stay where they are.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome, encode
from scripts.monosem.sae.losses.support import fired, support_of
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters, x: Float[Tensor, "b d_in"], l0: float, bandwidth: float, buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of one batch. Entries just below their threshold take part: they say what a lower one costs.

    Args: l0: λ; bandwidth: ε.
    """
    n = len(x)
    centred, z = encode(weights, x, buffers)
    support = support_of(z, z > weights.threshold - bandwidth / 2)
    distance = support.own - support.column(weights.threshold)
    on = distance > 0
    f = support.own * on
    reconstruction, pullback = support.decode(f, weights.decoder)
    error = reconstruction - centred
    slope = error * (2 / n)
    f_slope = pullback(slope)  # ∂L/∂f, also where f is 0
    value_slope = f_slope * on
    near = support.column(torch.ones_like(weights.threshold)) * (distance.abs() < bandwidth / 2)  # K
    threshold_slope = near * (f_slope * support.column(weights.threshold) + l0 / n) * (-1 / bandwidth)
    b_enc = support.total(value_slope)
    gradients = Parameters(
        encoder=support.outer(value_slope, centred),
        b_enc=b_enc,
        decoder=support.outer(f, slope),
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
        threshold=support.total(threshold_slope),
    )
    squared_error, active = torch.linalg.vector_norm(error).square(), torch.count_nonzero(f)
    return Outcome(gradients, fired(f, support), squared_error + l0 * active.to(error), squared_error, active)
