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
    l0: float,
    bandwidth: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch. Entries just below their threshold take part: they say what a lower one costs.

    Args: l0: λ; bandwidth: ε.
    """
    n = len(x)
    support = support_above(weights, x, weights.threshold - bandwidth / 2, precision, buffers)
    threshold = support.per_latent(weights.threshold)
    distance = support.pre_acts - threshold
    on = distance > 0
    f = support.pre_acts * on
    result = support.reconstruct(f, 2 / n)  # its grad_values is ∂L/∂f, also where f is 0
    near = support.per_latent(1.0) * (distance.abs() < bandwidth / 2)  # K
    grad_threshold = near * (result.grad_values * threshold + l0 / n) * (-1 / bandwidth)
    found = replace(
        gradients(support, result.grad_values * on, f, result.grad_decoded), threshold=support.total(grad_threshold)
    )
    squared_error, active = result.squares.sum(), torch.count_nonzero(f)
    return Outcome(found, fired(f, support), squared_error + l0 * active.to(squared_error), squared_error, active)
