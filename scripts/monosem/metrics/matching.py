"""Matching two sets of directions by cosine: MMCS, one-to-one matches, and what chance would give."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass(frozen=True)
class Matching:
    """A one-to-one assignment between the rows and columns of a cosine matrix."""

    rows: Integer[np.ndarray, " pairs"]
    """Indices of matched rows, ascending."""
    columns: Integer[np.ndarray, " pairs"]
    """Column assigned to each of them; no column twice."""
    cosines: Float[np.ndarray, " pairs"]
    """Cosine of each pair."""


def unit_rows(directions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows scaled to length one in float64; a zero row stays zero (its cosines are 0)."""
    directions = np.asarray(directions, dtype=np.float64)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.divide(directions, lengths, out=np.zeros_like(directions), where=lengths > 0)


def cosine_matrix(truth: Float[np.ndarray, "n d"], dictionary: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "n k"]:
    """Signed cosines between all rows of both: a direction and its opposite are different features."""
    return unit_rows(truth) @ unit_rows(dictionary).T


def mmcs(cosines: Float[np.ndarray, "n k"]) -> float:
    """Mean max cosine similarity, (1/n) Σ_g max_d cos(g, d) (Sharkey et al. 2022).

    Not symmetric, and one dictionary row may serve many truths: read it beside the one-to-one matches and chance.
    """
    return float(cosines.max(axis=1).mean())


def one_to_one(cosines: Float[np.ndarray, "n k"]) -> Matching:
    """The assignment of greatest total cosine (Hungarian algorithm): each row and column used at most once."""
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return Matching(rows, columns, cosines[rows, columns])


def matched_share(cosines: Float[np.ndarray, "n k"], threshold: float = 0.9) -> float:
    """Share of all n rows whose one-to-one partner has at least this cosine; rows without a partner count as missed."""
    return float((one_to_one(cosines).cosines >= threshold).sum() / cosines.shape[0])


def random_directions(k: int, d: int, rng: np.random.Generator) -> Float[np.ndarray, "k d"]:
    """Unit vectors drawn uniformly from the sphere in d dimensions."""
    return unit_rows(rng.standard_normal((k, d)))


def chance_mmcs(d: int, k: int, seed: int, n: int = 4096) -> float:
    """Expected MMCS of any truth against k random directions in d dimensions, by Monte Carlo over n truths.

    It is high in small d (0.58 at d = 20, k = 200), so print it beside every MMCS.
    """
    rng = np.random.default_rng(seed)
    largest = [mmcs(cosine_matrix(random_directions(64, d, rng), random_directions(k, d, rng))) for _ in range(n // 64)]
    return float(np.mean(largest))


def max_cosines(directions: Float[Tensor, "n d"], chunk: int = 1024) -> Float[Tensor, " n"]:
    """Each direction's largest cosine with another one."""
    unit = torch.nn.functional.normalize(directions, dim=-1)
    best = []
    for start in range(0, len(unit), chunk):
        cosine = unit[start : start + chunk] @ unit.T
        rows = torch.arange(len(cosine), device=cosine.device)
        cosine[rows, start + rows] = -1.0
        best.append(cosine.amax(-1))
    return torch.cat(best)
