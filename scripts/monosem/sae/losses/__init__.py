"""One loss in one file, each with its gradients written by hand and the equation it implements."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.parameters import Parameters


@dataclass(frozen=True)
class Outcome:
    """What one batch says: gradients for the optimiser, scalars for the curve (0-dim tensors, sums over the batch)."""

    gradients: Parameters  # of the training loss, which is a mean over the batch
    fired: Bool[Tensor, " d_sae"]  # which latents were active anywhere in the batch
    loss: Float[Tensor, ""]  # batch size × training loss
    squared_error: Float[Tensor, ""]  # Σ_b Σ_d (x − x̂)²
    active: Float[Tensor, ""]  # Σ_b number of f > 0
    smallest_kept: Float[Tensor, ""] | None = None  # batchtopk: the smallest f of the batch


def encode(
    weights: Parameters, x: Float[Tensor, "b d_in"], buffers: dict[str, Tensor]
) -> tuple[Float[Tensor, "b d_in"], Float[Tensor, "b d_sae"]]:
    """x − b_dec, and (x − b_dec) W_enc + b_enc: the one dense product of a step."""
    centred = x - weights.b_dec
    pre = kernels.scratch(buffers, "pre", x, len(x), len(weights.b_enc))
    torch.addmm(weights.b_enc, centred, weights.encoder.t(), out=pre)
    return centred, pre


def sparse_gradients(
    weights: Parameters,
    codes: kernels.Codes,
    entries: kernels.ByLatent,
    value_slope: Float[Tensor, " nnz"],
    slope: Float[Tensor, "b d_in"],
    centred: Float[Tensor, "b d_in"],
) -> Parameters:
    """Gradients of any loss through a sparse code, from ∂L/∂pre of its active entries and ∂L/∂x̂."""
    b_enc = torch.zeros_like(weights.b_enc).index_add_(0, codes.latents, value_slope)
    return Parameters(
        encoder=kernels.sum_by_latent(entries, value_slope, centred),
        b_enc=b_enc,
        decoder=kernels.sum_by_latent(entries, codes.values, slope),
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
    )
