"""Logit weights: the tokens that a direction raises or lowers directly (Bricken et al. 2023)."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from scripts.monosem.models import sites, splice
from scripts.monosem.models.families import family_of
from scripts.monosem.models.sites import Site

BEFORE_ACTIVATION = ("mlp.hook_pre", "mlp.hook_pre_linear")


def reason_unavailable(site: Site) -> str | None:
    """Reason for which directions at a site have no logit weights, or None if they have."""
    if site.inner in BEFORE_ACTIVATION:
        return "the activation function is between this site and the residual stream"
    if site.layer is None:
        return "the configuration named this site, so what it adds to the residual stream is not known"
    return None


def _to_residual(model: nn.Module, site: Site, directions: Float[Tensor, "n d"]) -> Float[Tensor, "n d_model"]:
    """Directions that neurons add to the residual stream; where a norm follows the MLP, up to a factor per token."""
    family = family_of(model.config.to_dict())
    block = sites.blocks_of(model)[site.layer]
    down = block.get_submodule(family.down)
    written = directions @ (down.weight.T if isinstance(down, nn.Linear) else down.weight).float()
    if family.norm_after_mlp:
        written = written * (block.get_submodule(family.norm_after_mlp).weight.float() + family.norm_gain_offset)
    return written


@torch.inference_mode()
def logit_weights(
    model: nn.Module,
    site: Site,
    directions: Float[Tensor, "n d"],
    usual: Bool[np.ndarray, " vocab"] | None = None,
) -> Float[Tensor, "n vocab"]:
    """d_i W_down π L W_unembed, shifted so that the median of each row is 0 (Bricken et al. 2023, 'Logit weights').

    π removes the mean (not for models with RMSNorm, which keep it) and L is the gain of the last norm; its division by
    the spread of the residual stream is left out, as it scales every row alike. At residual sites W_down falls away.
    Later blocks are passed by: this is the direct path only.

    Args:
        usual: tokens over which the median is taken (all, if None).
    Raises: ValueError where `reason_unavailable` has a reason.
    """
    if reason := reason_unavailable(site):
        raise ValueError(f"'{site.name}': {reason}")
    family = family_of(model.config.to_dict())
    if site.inner == "mlp.hook_post":
        directions = _to_residual(model, site, directions)
    if family.centred_norm:
        directions = directions - directions.mean(-1, keepdim=True)
    norm, *projections = (getattr(sites.body_of(model), path, None) for path in family.after_blocks)
    if norm is not None and norm.weight is not None:
        directions = directions * (norm.weight.float() + family.norm_gain_offset)
    for projection in projections:
        directions = directions if projection is None else directions @ projection.weight.float().T
    weights = directions @ splice.unembedding_of(model).weight.float().T
    if not len(weights):  # a quantile of nothing is refused
        return weights
    if usual is None:
        usual = np.ones(weights.shape[1], dtype=bool)
    return weights - weights[:, torch.from_numpy(usual)].quantile(0.5, dim=-1, keepdim=True)
