"""Rank correlation of columns that are mostly zero."""

import numpy as np
from jaxtyping import Float, Integer

from scripts.monosem.metrics.correlation import pearson_from_sums


def _centred_ranks(values: Float[np.ndarray, " k"], n: int) -> tuple[Float[np.ndarray, " k"], float]:
    """Average ranks, minus their mean, of k positive values among n − k zeros, and the rank of the zeros."""
    from scipy.stats import rankdata  # late: 1.3 s of start-up

    middle, zeros = (n + 1) / 2, n - len(values)
    return rankdata(values) + zeros - middle, (zeros + 1) / 2 - middle


def _shared(
    rows_x: Integer[np.ndarray, " kx"], rows_y: Integer[np.ndarray, " ky"]
) -> tuple[Integer[np.ndarray, " both"], Integer[np.ndarray, " both"]]:
    """Places in both of the rows that both have; either is ascending, so that nothing need be sorted."""
    if len(rows_x) > len(rows_y):
        return _shared(rows_y, rows_x)[::-1]
    place = np.minimum(np.searchsorted(rows_y, rows_x), max(len(rows_y) - 1, 0))
    at_x = np.flatnonzero(rows_y[place] == rows_x) if len(rows_y) else np.empty(0, np.int64)
    return at_x, place[at_x]


def spearman_sparse(
    rows_x: Integer[np.ndarray, " kx"], x: Float[np.ndarray, " kx"],
    rows_y: Integer[np.ndarray, " ky"], y: Float[np.ndarray, " ky"], n: int,
) -> float:  # fmt: skip
    """Spearman correlation of two columns of n numbers that are positive at the given rows, ascending, and 0 elsewhere.

    The same as scipy.stats.spearmanr of the whole columns, ties by average rank; 0 where one is constant.
    """
    ranks_x, zero_x = _centred_ranks(x, n)
    ranks_y, zero_y = _centred_ranks(y, n)
    at_x, at_y = _shared(rows_x, rows_y)
    both = ranks_x[at_x] @ ranks_y[at_y]
    only_x = (ranks_x.sum() - ranks_x[at_x].sum()) * zero_y
    only_y = (ranks_y.sum() - ranks_y[at_y].sum()) * zero_x
    neither = (n - len(x) - len(y) + len(at_x)) * zero_x * zero_y
    squares = [r @ r + (n - len(r)) * zero**2 for r, zero in ((ranks_x, zero_x), (ranks_y, zero_y))]
    return float(pearson_from_sums(n, 0.0, 0.0, *squares, both + only_x + only_y + neither))


def pearson_sparse_columns(
    rows_x: Integer[np.ndarray, " kx"], x: Float[np.ndarray, " kx"],
    rows_y: Integer[np.ndarray, " ky"], y: Float[np.ndarray, " ky"], n: int,
) -> float:  # fmt: skip
    """Pearson correlation of two such columns; 0 where one is constant."""
    at_x, at_y = _shared(rows_x, rows_y)
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(pearson_from_sums(n, x.sum(), y.sum(), x @ x, y @ y, x[at_x] @ y[at_y]))
