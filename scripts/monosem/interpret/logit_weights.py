"""Which tokens a direction raises or lowers directly: Bricken et al. 2023, 'logit weights'."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from scripts.monosem.sites import Site


def why_not(site: Site) -> str | None:
    """Why directions at a site have no logit weights, or None if they have."""
    if site.name.endswith("mlp.hook_pre"):
        return "the activation function stands between this site and the residual stream"
    return None


@torch.inference_mode()
def logit_weights(
    model: nn.Module,
    site: Site,
    directions: Float[Tensor, "n d"],
    usual: Bool[np.ndarray, " vocab"] | None = None,
) -> Float[Tensor, "n vocab"]:
    """d_i W_down π L W_unembed, shifted so that the median of each row is 0 (Bricken et al. 2023, 'Logit weights').

    π removes the mean and L is the gain of the last LayerNorm; its division by the spread of the residual stream is
    left out, as it scales every row alike. At residual sites W_down falls away. Later blocks are passed by: this is the
    direct path only.

    Args:
        usual: tokens over which the median is taken (all, if None).
    Raises: ValueError where `why_not` has a reason.
    """
    if reason := why_not(site):
        raise ValueError(f"'{site.name}': {reason}")
    if site.name.endswith("mlp.hook_post"):
        directions = directions @ model.transformer.h[site.layer].mlp.c_proj.weight
    centred = directions - directions.mean(-1, keepdim=True)
    weights = (centred * model.transformer.ln_f.weight) @ model.lm_head.weight.T
    if usual is None:
        usual = np.ones(weights.shape[1], dtype=bool)
    return weights - weights[:, torch.from_numpy(usual)].quantile(0.5, dim=-1, keepdim=True)
