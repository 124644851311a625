"""Pearson correlation of what is at hand: sums, two columns, a matrix and a column, two sparse matrices.

0 where a variable is constant, where numpy's and scipy's are NaN; all in float64.
"""

import numpy as np
from jaxtyping import Float, Shaped
from scipy import sparse

SMALLEST_SCALE = 1e-12
"""Of a column that is not constant, after its mean was subtracted."""


def _quotient(covariance: Float[np.ndarray, "*shape"], scale: Float[np.ndarray, "*shape"], smallest: float = 0.0):
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > smallest)


def pearson_from_sums(n, sum_x, sum_y, sum_xx, sum_yy, sum_xy) -> Float[np.ndarray, "*shape"]:
    """Pearson correlation from float64 sums, numbers or arrays that broadcast to one shape."""
    covariance = sum_xy - sum_x * sum_y / n
    spread = np.sqrt(np.maximum(sum_xx - np.square(sum_x) / n, 0) * np.maximum(sum_yy - np.square(sum_y) / n, 0))
    return np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), 0.0)


def pearson(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> float:
    """Pearson correlation of two columns in float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    x, y = x - x.mean(), y - y.mean()
    return float(pearson_from_sums(len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y))


def pearson_columns(x: Float[np.ndarray, "n columns"], y: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " columns"]:
    """Correlation of every column of x with y, which may be boolean."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    x, y = x - x.mean(0), y - y.mean()
    return _quotient(y @ x, np.sqrt(np.square(x).sum(0) * np.square(y).sum()), SMALLEST_SCALE)


def pearson_sparse(x: sparse.csr_matrix, y: sparse.csr_matrix) -> Float[np.ndarray, "columns_x columns_y"]:
    """Correlation of every column of x [n, columns_x] with every column of y [n, columns_y]."""
    n = x.shape[0]
    products = (x.T @ y).toarray().astype(np.float64)
    sums = [np.asarray(a.sum(0), np.float64).ravel() for a in (x, y)]
    squares = [np.asarray(a.multiply(a).sum(0), np.float64).ravel() for a in (x, y)]
    spread = [np.sqrt(np.maximum(q - s**2 / n, 0)) for q, s in zip(squares, sums, strict=True)]
    return _quotient(products - np.outer(*sums) / n, np.outer(*spread))


def pearson_dense(
    x: Float[np.ndarray, "n columns_x"], y: Float[np.ndarray, "n columns_y"]
) -> Float[np.ndarray, "columns_x columns_y"]:
    """The same of dense matrices; products are summed in their own precision."""
    x, y = (a - a.mean(0, dtype=np.float64).astype(a.dtype) for a in (x, y))
    spread = [np.sqrt(np.square(a).sum(0, dtype=np.float64)) for a in (x, y)]
    return _quotient((x.T @ y).astype(np.float64), np.outer(*spread), SMALLEST_SCALE)
