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

Training starts as in topk.py, with one threshold for all latents that `start_l0` of them exceed per vector.
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
    position=6,
    label="JumpReLU",
    marker="D",
    required=("l0_coefficient",),
    optional=("l0_warmup_share", "bandwidth", "threshold_rate", "start_l0", "decoder_init"),
    saved_as="jumprelu",
    on_where="z > θ, learnt per latent",
    trained_on="λ·L0, straight-through estimate for θ (Rajamanoharan et al. 2024b)",
    use_for="an L0 that differs between vectors, without looking at a batch; λ must be searched for",
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """Encoder along the decoder, as long as the latents above the first threshold require."""
    d_sae = len(decoder)
    centred, pre = first_pre_activations(sample, b_dec, decoder)
    above = max(1, round(min(1.0, config.start_l0 / d_sae) * pre.numel()))
    threshold = pre.flatten().topk(above).values[-1].clamp_min(0)
    ratio = length_ratio(centred, (pre * (pre > threshold)) @ decoder)
    thresholds = torch.full((d_sae,), (threshold * ratio).item())
    return Parameters(decoder * ratio, torch.zeros(d_sae), decoder, b_dec, threshold=thresholds)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    l0 = warmed_up(config.l0_coefficient, config.l0_warmup_share, at.step, config.steps)
    return step(at.weights, x, l0, config.bandwidth, buffers, config.precision)


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
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
    of_weights = replace(
        gradients(support, result.grad_values * on, f, result.grad_decoded), threshold=support.total(grad_threshold)
    )
    squared_error, active = result.squares.sum(), torch.count_nonzero(f)
    return Outcome(of_weights, fired(f, support), squared_error + l0 * active.to(squared_error), squared_error, active)
