"""Matryoshka BatchTopK: Bussmann et al. 2025, 'Learning multi-level features with Matryoshka sparse autoencoders'.

    f as in batchtopk.py, chosen once among all latents
    x̂_m = f_{0:m} W_dec_{0:m} + b_dec                 the reconstruction from the first m latents alone
    L = Σ_m mean_b ‖x − x̂_m‖² / V  +  α · AuxK         over nested widths m, the last of which is d_sae

The first latents must do without the later ones, so that general features are not absorbed into special ones. Inference
is that of batchtopk.py.
"""

from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.losses import Outcome, encode
from scripts.monosem.sae.losses.batchtopk import select
from scripts.monosem.sae.losses.support import ring, sparse
from scripts.monosem.sae.losses.topk import add_auxiliary_
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
    k: int,
    widths: tuple[int, ...],
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
    aux_coefficient: float,
    buffers: dict[str, Tensor],
) -> Outcome:
    """Loss and gradients of one batch; `widths` rise to d_sae. Sparse as batchtopk.step, one ring of latents at a time.

    A latent between two widths takes part in the reconstructions of the wider ones: its slope is the sum of theirs.
    """
    n = len(x)
    centred, pre = encode(weights, x, buffers)
    codes, smallest_kept = select(pre, k, buffers)
    rings = [(low, high, ring(codes, low, high)) for low, high in pairwise((0, *widths))]
    error, errors, supports, pullbacks = -centred, [], [], []
    for low, high, part in rings:
        supports.append(sparse(part, high - low))
        reconstruction, pullback = supports[-1].decode(part.values, weights.decoder[low:high])
        error = error + reconstruction
        errors.append(error)
        pullbacks.append(pullback)

    slope, parts = torch.zeros_like(x), []
    for support, own_error, pullback in zip(reversed(supports), reversed(errors), reversed(pullbacks), strict=True):
        slope = slope + own_error * (2 / (n * variance))  # of this width and all wider ones
        value_slope = pullback(slope)
        parts.append(
            (support.outer(value_slope, centred), support.total(value_slope), support.outer(support.own, slope))
        )
    encoder, b_enc, decoder = (torch.cat(column) for column in zip(*reversed(parts), strict=True))
    gradients = Parameters(encoder, b_enc, decoder, slope.sum(0) - b_enc @ weights.encoder)

    loss = sum(torch.linalg.vector_norm(own).square() for own in errors) / variance
    if aux_coefficient and bool(dead.any()):
        among = dead.nonzero().squeeze(1)
        loss = loss + n * add_auxiliary_(
            gradients, weights, centred, error, among, aux_k, aux_coefficient, "float32"
        )
    fired = torch.cat([support.entries.offsets.diff() > 0 for support in supports])
    active = torch.tensor(len(codes.values), device=x.device)
    squared_error = torch.linalg.vector_norm(error).square()
    return Outcome(gradients, fired, loss, squared_error, active, smallest_kept)
