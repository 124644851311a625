"""Tokens of enormous norm: found by a multiple of the median, left out of what is stored, and counted.

Real language models write a few activations that are thousands of times larger than the others, at the first token and
at some delimiters (Sun et al. 2024, "Massive activations in large language models"). A handful of such tokens holds
most of the variance, so that an autoencoder learns them and explained variance measures them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

FIRST_ROWS = 2048  # from which the median is taken
TOP_SHARE = 0.001  # of the tokens, whose share of the variance is reported
MOST_VARIANCE = 0.5  # held by them, from which a sentence warns


@dataclass(frozen=True)
class Ordinary:
    """The tokens of one site that are not excluded."""

    median: float
    """Median norm of the first rows."""
    limit: float
    """Norm above which a token is excluded; infinite if none is to be."""
    mean: Float[Tensor, " d_in"]
    """Mean of the first rows below the limit."""

    def holds(self, rows: Float[Tensor, "n d_in"]) -> Bool[Tensor, " n"]:
        """True for each row that is not excluded."""
        return norms(rows) <= self.limit

    def deviations(self, rows: Float[Tensor, "n d_in"]) -> Float[np.ndarray, " n"]:
        """Squared distance of each row from the mean."""
        return norms(rows.float() - self.mean).square().cpu().numpy()


def norms(rows: Float[Tensor, "*rows d_in"]) -> Float[Tensor, "*rows"]:
    """Length of each row, in float32."""
    return torch.linalg.vector_norm(rows, dim=-1, dtype=torch.float32)


def ordinary(rows: Float[Tensor, "n d_in"], times: float | None) -> Ordinary:
    """Ordinary tokens, by the first rows of a site: those of a norm up to `times` their median norm.

    All are if `times` is None, or most rows are zero.
    """
    lengths = norms(rows)
    median = float(lengths.median())
    limit = times * median if times and median else float("inf")
    return Ordinary(median, limit, rows[lengths <= limit].float().mean(0))


def top_share(deviations: Sequence[Float[np.ndarray, " _"]]) -> float | None:
    """Share of the summed squared deviations that the largest TOP_SHARE of the tokens (at least one) hold.

    None if there are no deviations.
    """
    values = np.concatenate([np.zeros(0), *deviations])
    n, total = max(1, round(TOP_SHARE * len(values))), float(values.sum())
    return float(np.partition(values, -n)[-n:].sum()) / total if total > 0 else None


def warning(share: float | None, times: float | None) -> str | None:
    """A sentence if few of the tokens that were kept hold most of the variance, else None."""
    if share is None or share < MOST_VARIANCE:
        return None
    knob = "set" if times is None else f"lower ({times:g} here)"
    return (
        f"{TOP_SHARE:.1%} of the tokens hold {share:.0%} of the variance, and explained variance measures little else; "
        f"{knob} activations.exclude_norm_above"
    )
