"""Squared error of a sparse code, with AuxK for dead latents: Gao et al. 2024, 'Scaling and evaluating sparse
autoencoders', and its code.

    L  = mean_b ‖x − x̂‖² / V  +  α · mean_b ‖e − ê‖² / E
    e  = x − x̂  (no gradient),   ê = f_aux W_dec,   f_aux = relu(TopK_{k_aux} of the dead latents' pre-activations)

V is the variance mean ‖x − x̄‖² of the data (a constant), E the same of e in the batch: both losses are 1 for the best
constant prediction, so that α needs no retuning for another model or site. A latent is dead when it has not fired for
`dead_after_vectors` vectors.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.kernels import select
from scripts.monosem.sae.kernels.encode import Centred, product
from scripts.monosem.sae.kernels.sparse import Codes
from scripts.monosem.sae.losses import Outcome, TrainingPoint
from scripts.monosem.sae.losses.active_entries import fired, gradients, sparse
from scripts.monosem.sae.parameters import Parameters


def arguments(at: TrainingPoint, config: SaeConfig, buffers: dict[str, Tensor]) -> tuple:
    """The arguments behind k (and the widths) of the steps that use AuxK."""
    return at.variance, at.dead, config.aux_k, config.aux_coefficient, buffers, config.precision


def from_codes(
    weights: Parameters,
    codes: Codes,
    centred: Centred,
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
    aux_coefficient: float,
    buffers: dict[str, Tensor],
    precision: str,
    nested: int = 1,
) -> Outcome:
    """Loss and gradients, given which latents are active; with `nested` rows of the code per vector, the sum of the
    losses of the nested reconstructions (sparse.Reconstruction).
    """
    n = len(centred.rows)
    factor = 2 / (n * variance)
    support, f = sparse(weights, codes, centred, buffers, nested), codes.values
    result = support.reconstruct(f, factor)
    of_weights = gradients(support, result.grad_values * (f > 0), f, result.grad_decoded)
    loss = result.squares.sum() / variance
    if aux_coefficient and bool(dead.any()):
        error, among = support.error(result.grad_decoded, factor), dead.nonzero().squeeze(1)
        auxiliary = (among, aux_k, aux_coefficient, precision)
        loss = loss + n * add_auxiliary_(of_weights, weights, centred.rows, error, *auxiliary)
    squared_error = result.squares[nested - 1 :: nested].sum()
    return Outcome(of_weights, fired(f, support), loss, squared_error, torch.count_nonzero(f))


def add_auxiliary_(
    gradients: Parameters,
    weights: Parameters,
    centred: Float[Tensor, "batch d_in"],
    error: Float[Tensor, "batch d_in"],
    dead: Int[Tensor, " dead"],
    aux_k: int,
    aux_coefficient: float,
    precision: str,
) -> Float[Tensor, ""]:
    """Add AuxK's gradients to `gradients` in place and return α · mean ‖e − ê‖² / E. `error` is x̂ − x = −e.

    Dense in the dead latents: at k_aux of a few hundred that is faster than a sparse product.
    """
    encoder, decoder = weights.encoder[dead], weights.decoder[dead]
    f = (product(centred, encoder.t(), precision) + weights.b_enc[dead]).relu_()
    if aux_k < len(dead):
        values, _ = select.topk(f, aux_k)
        f *= f >= values.amin(1, keepdim=True)
    rest = product(f, decoder, precision) + error  # ê − e
    spread = (error - error.mean(0)).square().sum().clamp_min(1e-30)
    grad_decoded = rest * (2 * aux_coefficient / spread)
    grad_pre_acts = product(grad_decoded, decoder.t(), precision) * (f > 0)
    b_enc = grad_pre_acts.sum(0).to(f.dtype)
    gradients.decoder.index_add_(0, dead, product(f.t(), grad_decoded, precision).to(f.dtype))
    gradients.encoder.index_add_(0, dead, product(grad_pre_acts.t(), centred, precision).to(f.dtype))
    gradients.b_enc.index_add_(0, dead, b_enc)
    gradients.b_dec.sub_(b_enc @ encoder)
    return aux_coefficient * rest.square().sum() / spread
