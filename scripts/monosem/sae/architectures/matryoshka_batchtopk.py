"""Matryoshka BatchTopK: Bussmann et al. 2025, 'Learning multi-level features with Matryoshka sparse autoencoders'.

    f as in batchtopk.py, chosen once among all latents
    x̂_m = f_{0:m} W_dec_{0:m} + b_dec                 the reconstruction from the first m latents alone
    L = Σ_m mean_b ‖x − x̂_m‖² / V  +  α · AuxK         over nested widths m, the last of which is d_sae

The first latents must do without the later ones, so that general features are not absorbed into special ones. Start and
inference are those of batchtopk.py.
"""

from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.architectures.batchtopk import start
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.kernels.encode import encode_batch_topk
from scripts.monosem.sae.kernels.select import nested_groups
from scripts.monosem.sae.losses import Outcome, TrainingPoint, auxk
from scripts.monosem.sae.parameters import Parameters

__all__ = ["start", "outcome", "step"]

ARCHITECTURE = Architecture(
    position=5,
    label="Matryoshka",
    marker="p",
    required=("k",),
    optional=("aux_k", "aux_coefficient", "decoder_init", "prefixes"),
    saved_as="jumprelu",
    on_where="z is among the n·k largest of a batch of n; at inference above one threshold, as for batchtopk",
    trained_on="the errors of nested prefixes of the dictionary, AuxK (Bussmann et al. 2025)",
    use_for="general features that special ones must not absorb",
)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    return step(at.weights, x, config.k, config.nested_widths, *auxk.arguments(at, config, buffers))


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
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
    result = auxk.from_codes(weights, groups, centred, variance, *auxiliary, buffers, precision, len(widths))
    return replace(result, smallest_kept=smallest_kept)
