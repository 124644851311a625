"""Latents that belong together: nearest in the dictionary, in dictionaries of other widths, in another model."""

import numpy as np
import torch
from jaxtyping import Float, Integer
from scipy import sparse
from torch import Tensor

from scripts.monosem.metrics.correlation import pearson_from_sums, pearson_sparse

CHUNK = 1024


def nearest(
    directions: Float[Tensor, "n d"], others: Float[Tensor, "m d"], count: int, same: bool
) -> tuple[Integer[np.ndarray, "n count"], Float[np.ndarray, "n count"]]:
    """The `count` other directions of largest cosine with each, and the cosines, descending.

    Args: same: both are one dictionary, in which a direction is not its own neighbour.
    """
    count = min(count, len(others) - same)
    unit, unit_others = (torch.nn.functional.normalize(each, dim=-1) for each in (directions, others))
    index, cosines = [], []
    for start in range(0, len(unit), CHUNK):
        cosine = unit[start : start + CHUNK] @ unit_others.T
        if same:
            rows = torch.arange(len(cosine), device=cosine.device)
            cosine[rows, start + rows] = -2.0
        best = cosine.topk(count, dim=1)
        index.append(best.indices.cpu().numpy().astype(np.uint32))
        cosines.append(best.values.cpu().numpy().astype(np.float32))
    return np.concatenate(index), np.concatenate(cosines)


def best_matches(
    codes: sparse.csr_matrix, others: sparse.csr_matrix
) -> tuple[Integer[np.ndarray, " latents"], Float[np.ndarray, " latents"]]:
    """Each latent's partner in another model, of largest correlation on the first half of the rows; r on the second.

    Both matrices have the same tokens in their rows. Chosen and scored on one text, the largest of thousands of
    correlations would be high by chance.
    """
    half = codes.shape[0] // 2
    partner = pearson_sparse(codes[:half], others[:half]).argmax(1)
    x, y = codes[half:].tocsc().astype(np.float64), others[half:].tocsc()[:, partner].astype(np.float64)
    sums = [np.asarray(a.sum(0)).ravel() for a in (x, y, x.multiply(x), y.multiply(y), x.multiply(y))]
    return partner.astype(np.uint32), pearson_from_sums(x.shape[0], *sums).astype(np.float32)
