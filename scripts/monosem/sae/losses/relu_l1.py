"""ReLU with an L1 penalty: Bricken et al. 2023, 'Towards Monosemanticity'.

    f = relu((x − b_dec) W_enc + b_enc)
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ]

The paper writes the mean over d of the squared error; its λ is ours divided by d_in. At data scaled by s (x' = s x)
this is s² times the same loss on raw data with λ_raw = λ / s.
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
    """Loss and gradients of one batch: dense while many latents are active, sparse as soon as few are."""
    n = len(x)
    support = support_above(weights, x, 0.0, precision, buffers)
    f = support.pre_acts
    result = support.reconstruct(f, 2 / n)
    found = gradients(support, result.grad_values + support.per_latent(l1 / n), f, result.grad_decoded)
    mass, squared_error = support.total(f), result.squares.sum()
    return Outcome(found, mass > 0, squared_error + l1 * mass.sum(), squared_error, support.active)


def per_input(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float) -> Float[Tensor, " b"]:
    """The loss of each input: Σ_d (x − x̂)² + λ Σ f."""
    centred = x - weights.b_dec
    f = torch.addmm(weights.b_enc, centred, weights.encoder.t()).relu_()
    return (f @ weights.decoder - centred).square().sum(1) + l1 * f.sum(1)
