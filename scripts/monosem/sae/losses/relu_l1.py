"""ReLU with an L1 penalty: Bricken et al. 2023, 'Towards Monosemanticity'.

    f = relu((x − b_dec) W_enc + b_enc)
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b [ Σ_d (x − x̂)² + λ Σ_i f_i ]

The paper writes the mean over d of the squared error; its λ is ours divided by d_in. At data scaled by s (x' = s x)
this is s² times the same loss on raw data with λ_raw = λ / s.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.losses import Outcome, sparse_gradients
from scripts.monosem.sae.parameters import Parameters

# share of active entries above which dense products are faster (estimated from the CPU times of the single products)
DENSE_ABOVE = 1 / 16


def step(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float, buffers: dict[str, Tensor]) -> Outcome:
    """Loss and gradients of one batch: dense while many latents are active, sparse as soon as few are."""
    n, d_sae = len(x), len(weights.b_enc)
    centred = x - weights.b_dec
    pre = kernels.scratch(buffers, "pre", x, n, d_sae)
    torch.addmm(weights.b_enc, centred, weights.encoder.t(), out=pre)
    positive = torch.gt(pre, 0, out=kernels.scratch(buffers, "positive", x, n, d_sae, dtype=torch.bool))
    active = torch.count_nonzero(positive)
    if active > DENSE_ABOVE * positive.numel():
        gradients, fired, squared_error, total = _dense(weights, centred, pre, l1, buffers)
    else:
        gradients, fired, squared_error, total = _sparse(weights, centred, pre, positive, l1)
    return Outcome(gradients, fired, squared_error + l1 * total, squared_error, active)


def _sparse(
    weights: Parameters,
    centred: Float[Tensor, "b d_in"],
    pre: Float[Tensor, "b d_sae"],
    positive: Bool[Tensor, "b d_sae"],
    l1: float,
) -> tuple[Parameters, Tensor, Tensor, Tensor]:
    n, d_sae = pre.shape
    codes = kernels.positive_codes(pre, positive)
    reconstruction, pullback = kernels.decode_with_pullback(codes, weights.decoder)
    error = reconstruction - centred
    slope = error * (2 / n)
    value_slope = pullback(slope) + l1 / n
    entries = kernels.by_latent(codes, d_sae)
    gradients = sparse_gradients(weights, codes, entries, value_slope, slope, centred)
    return gradients, entries.offsets.diff() > 0, torch.linalg.vector_norm(error).square(), codes.values.sum()


def _dense(
    weights: Parameters,
    centred: Float[Tensor, "b d_in"],
    pre: Float[Tensor, "b d_sae"],
    l1: float,
    buffers: dict[str, Tensor],
) -> tuple[Parameters, Tensor, Tensor, Tensor]:
    n, d_sae = pre.shape
    f = pre.relu_()
    error = torch.mm(f, weights.decoder) - centred
    slope = error * (2 / n)
    decoder, mass = torch.mm(f.t(), slope), f.sum(0)
    value_slope = torch.mm(slope, weights.decoder.t(), out=kernels.scratch(buffers, "value_slope", pre, n, d_sae))
    value_slope.add_(l1 / n).mul_(f.sign_())  # several times faster than masking with a boolean
    b_enc = value_slope.sum(0)
    gradients = Parameters(
        encoder=torch.mm(value_slope.t(), centred),
        b_enc=b_enc,
        decoder=decoder,
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
    )
    return gradients, mass > 0, torch.linalg.vector_norm(error).square(), mass.sum()


def per_input(weights: Parameters, x: Float[Tensor, "b d_in"], l1: float) -> Float[Tensor, " b"]:
    """The loss of each input: Σ_d (x − x̂)² + λ Σ f."""
    centred = x - weights.b_dec
    f = torch.addmm(weights.b_enc, centred, weights.encoder.t()).relu_()
    return (f @ weights.decoder - centred).square().sum(1) + l1 * f.sum(1)
