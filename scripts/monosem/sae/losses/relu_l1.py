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

from scripts.monosem.sae import kernels
from scripts.monosem.sae.encoding import pre_activations, product
from scripts.monosem.sae.losses import Outcome, reconstruction
from scripts.monosem.sae.parameters import Parameters

# share of active entries above which dense products are faster, by precision (measured on the CPU, see the README)
DENSE_ABOVE = {"float32": 1 / 8, "bfloat16": 1 / 24}


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
    l1: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch: dense while many latents are active, sparse as soon as few are."""
    n = len(x)
    pre, centred = pre_activations(weights, x, precision, buffers)
    active = kernels.count_positive(pre)
    if active > DENSE_ABOVE[precision] * pre.numel():
        return _dense(weights, centred.rows, pre, l1, active, precision)
    codes = kernels.positive_codes(pre)
    result = reconstruction(weights, codes, centred, 2 / n, buffers, l1 / n)
    loss = result.squared_error + l1 * codes.values.sum()
    return Outcome(result.gradients, result.fired, loss, result.squared_error, active)


def _dense(
    weights: Parameters,
    centred: Float[Tensor, "b d_in"],
    pre: Float[Tensor, "b d_sae"],
    l1: float,
    active: Tensor,
    precision: str,
) -> Outcome:
    n, dtype = len(pre), centred.dtype
    f = pre.relu_()
    error = product(f, weights.decoder, precision) - centred
    slope = error * (2 / n)
    decoder, mass = product(f.t(), slope, precision).to(dtype), f.sum(0, dtype=dtype)
    value_slope = product(slope, weights.decoder.t(), precision)
    value_slope.add_(l1 / n).mul_(f.sign_())  # several times faster than masking with a boolean
    b_enc = value_slope.sum(0, dtype=dtype)
    gradients = Parameters(
        encoder=product(value_slope.t(), centred, precision).to(dtype),
        b_enc=b_enc,
        decoder=decoder,
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
    )
    squared_error = torch.linalg.vector_norm(error).square()
    return Outcome(gradients, mass > 0, squared_error + l1 * mass.sum(), squared_error, active)


def per_input(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float) -> Float[Tensor, " b"]:
    """The loss of each input: Σ_d (x − x̂)² + λ Σ f."""
    centred = x - weights.b_dec
    f = torch.addmm(weights.b_enc, centred, weights.encoder.t()).relu_()
    return (f @ weights.decoder - centred).square().sum(1) + l1 * f.sum(1)
