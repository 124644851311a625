"""Uncertainty: bootstrap over documents, and Student's interval over seeds.

scipy.stats.bootstrap resamples one statistic at a time; here all columns share a draw, so that every ratio of every
reconstructor is paired with every other.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats


def bootstrap_totals(
    sums: Mapping[str, Float[np.ndarray, " documents"]], resamplings: int, seed: int
) -> dict[str, Float[np.ndarray, " resamplings"]]:
    """Totals of per-document sums when documents are drawn with replacement, the same draw for every column.

    Tokens of one document are not independent, so documents are the unit; a ratio is formed from the totals afterwards.
    """
    columns = np.stack([np.asarray(column, np.float64) for column in sums.values()], axis=1)
    totals = document_weights(len(columns), resamplings, seed)[1:] @ columns
    return dict(zip(sums, totals.T, strict=True))


def document_weights(n_documents: int, resamplings: int, seed: int) -> Float[np.ndarray, "samples documents"]:
    """Weights of the documents: all ones in the first row, then how often each is drawn with replacement.

    `weights @ sums_by_document` are the totals of the text itself, and below them those of `resamplings` others.
    """
    random = np.random.default_rng(seed)
    weights = np.ones((resamplings + 1, n_documents))
    for row in weights[1:]:
        row[:] = np.bincount(random.integers(n_documents, size=n_documents), minlength=n_documents)
    return weights


def median_interval(values: Float[np.ndarray, " n"], level: float = 0.95) -> tuple[float, float]:
    """Interval of the median of independent values, from order statistics; their range where there are too few."""
    ordered, n = np.sort(values), len(values)
    rank = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
    low = max(rank - 1, 0)
    return float(ordered[low]), float(ordered[n - 1 - low])


def interval(samples: Float[np.ndarray, " resamplings"], level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap samples."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(values: Sequence[float] | Float[np.ndarray, " n"]) -> tuple[float | None, float | None]:
    """95 % interval of the mean by Student's t with n − 1 degrees of freedom; None for fewer than two values."""
    if len(values) < 2:
        return None, None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def mean_of_units(
    values: Float[np.ndarray, " n"], resamplings: int, seed: int
) -> tuple[float | None, float | None, float | None]:
    """Mean of a number per unit, and the percentile interval of the means of units drawn with replacement."""
    if len(values) == 0:
        return None, None, None
    random = np.random.default_rng(seed)
    means = values[random.integers(len(values), size=(resamplings, len(values)))].mean(1)
    return float(values.mean()), *interval(means)
