"""TopK with AuxK: Gao et al. 2024, 'Scaling and evaluating sparse autoencoders', and its code.

    f  = relu(TopK_k((x − b_dec) W_enc + b_enc))          (as in their released code)
    x̂  = f W_dec + b_dec
    L  = mean_b ‖x − x̂‖² / V  +  α · mean_b ‖e − ê‖² / E
    e  = x − x̂  (no gradient),   ê = f_aux W_dec,   f_aux = relu(TopK_{k_aux} of the dead latents' pre-activations)

V is the variance mean ‖x − x̄‖² of the data (a constant), E the same of e in the batch: both losses are 1 for the best
constant prediction, so that α needs no retuning for another model or site. A latent is dead when it has not fired for
`dead_after_vectors` vectors.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.losses import Outcome, sparse_gradients
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
    k: int,
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
    aux_coefficient: float,
    buffers: dict[str, Tensor],
) -> Outcome:
    """Loss and gradients of one batch. Only the encoder's product is dense (and AuxK in the dead latents)."""
    n, d_sae = len(x), len(weights.b_enc)
    centred = x - weights.b_dec
    pre = kernels.scratch(buffers, "pre", x, n, d_sae)
    torch.addmm(weights.b_enc, centred, weights.encoder.t(), out=pre)
    codes = kernels.topk_codes(pre, k)
    reconstruction, pullback = kernels.decode_with_pullback(codes, weights.decoder)
    error = reconstruction - centred  # x̂ − x
    squared_error = torch.linalg.vector_norm(error).square()

    slope = error * (2 / (n * variance))  # ∂L/∂x̂
    positive = codes.values > 0
    value_slope = pullback(slope) * positive  # ∂L/∂pre of the active entries
    entries = kernels.by_latent(codes, d_sae)
    gradients = sparse_gradients(weights, codes, entries, value_slope, slope, centred)
    loss = squared_error / variance
    if aux_coefficient and bool(dead.any()):
        aux = add_auxiliary_(gradients, weights, centred, pre, error, dead.nonzero().squeeze(1), aux_k, aux_coefficient)
        loss = loss + n * aux

    fired = torch.zeros_like(dead)
    fired[codes.latents[positive]] = True
    return Outcome(gradients, fired, loss, squared_error, torch.count_nonzero(positive))


def add_auxiliary_(
    gradients: Parameters,
    weights: Parameters,
    centred: Float[Tensor, "b d_in"],
    pre: Float[Tensor, "b d_sae"],
    error: Float[Tensor, "b d_in"],
    dead: Tensor,
    aux_k: int,
    aux_coefficient: float,
) -> Float[Tensor, ""]:
    """Add AuxK's gradients to `gradients` in place and return α · mean ‖e − ê‖² / E. `error` is x̂ − x = −e.

    Dense in the dead latents: at k_aux of a few hundred that is faster than a sparse product.
    """
    f = pre[:, dead].relu_()
    if aux_k < len(dead):
        smallest_kept = f.topk(aux_k, dim=1, sorted=False).values.amin(1, keepdim=True)
        f *= f >= smallest_kept
    decoder = weights.decoder[dead]
    rest = f @ decoder + error  # ê − e
    spread = (error - error.mean(0)).square().sum().clamp_min(1e-30)
    slope = rest * (2 * aux_coefficient / spread)
    value_slope = (slope @ decoder.t()) * (f > 0)
    b_enc = value_slope.sum(0)
    gradients.decoder.index_add_(0, dead, f.t() @ slope)
    gradients.encoder.index_add_(0, dead, value_slope.t() @ centred)
    gradients.b_enc.index_add_(0, dead, b_enc)
    gradients.b_dec.sub_(b_enc @ weights.encoder[dead])
    return aux_coefficient * rest.square().sum() / spread
