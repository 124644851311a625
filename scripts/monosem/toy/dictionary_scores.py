"""Scores of a dictionary against known features."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.metrics import matching

MATCH = 0.9
"""Cosine from which a one-to-one pair counts as a match."""


def grade(cosines: Float[np.ndarray, "feature direction"]) -> dict[str, float]:
    """MMCS, share of features matched one-to-one, and the mean cosine of those pairs."""
    return {
        "mmcs": matching.mmcs(cosines),
        "matched_share": matching.matched_share(cosines, MATCH),
        "mean_matched_cosine": matching.one_to_one(cosines).cosines.mean(),
    }


def n_duplicates(cosines: Float[np.ndarray, "feature direction"]) -> int:
    """Directions that lie along some feature (cosine ≥ MATCH) although another one is already matched to it."""
    along = (cosines.max(axis=0) >= MATCH).sum()
    return int(along - (matching.one_to_one(cosines).cosines >= MATCH).sum())


def pair_correlations(
    truth: Float[Tensor, "sample feature"], latents: Float[Tensor, "sample latent"], pairs: matching.Matching
) -> Float[np.ndarray, " pair"]:
    """Pearson correlation of each feature's value with its matched latent's activation; 0 where one is constant.

    In torch, whose order of summation differs from numpy's in the last digit of published results.
    """
    a = truth[:, torch.from_numpy(pairs.rows)].double()
    b = latents[:, torch.from_numpy(pairs.columns)].double()
    a, b = a - a.mean(0), b - b.mean(0)
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return torch.where(scale > 0, (a * b).sum(0) / scale.clamp_min(1e-30), 0.0).numpy()
