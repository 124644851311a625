"""Matryoshka BatchTopK: Bussmann et al. 2025, 'Learning multi-level features with Matryoshka sparse autoencoders'.

    f as in batchtopk.py, chosen once among all latents
    x̂_m = f_{0:m} W_dec_{0:m} + b_dec                 the reconstruction from the first m latents alone
    L = Σ_m mean_b ‖x − x̂_m‖² / V  +  α · AuxK         over nested widths m, the last of which is d_sae

The first latents must do without the later ones, so that general features are not absorbed into special ones. Inference
is that of batchtopk.py.
"""

from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.kernels.encode import encode_batch_topk
from scripts.monosem.sae.kernels.select import nested_groups
from scripts.monosem.sae.losses import Outcome
from scripts.monosem.sae.losses.topk import from_codes
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
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch; `widths` rise to d_sae.

    A latent between two widths takes part in the reconstructions of the wider ones: its gradient is the sum of theirs.
    """
    codes, smallest_kept, centred = encode_batch_topk(weights, x, k, precision, buffers)
    auxiliary, groups = (dead, aux_k, aux_coefficient), nested_groups(codes, widths)
    result = from_codes(weights, groups, centred, variance, *auxiliary, buffers, precision, len(widths))
    return replace(result, smallest_kept=smallest_kept)
