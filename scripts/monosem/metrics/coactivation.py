"""Latents that fire on the same tokens, or one token after another: from sparse codes, tokens in rows, CSR."""

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.metrics.correlation import pearson_from_sums

Columns = sparse.csr_matrix | np.ndarray
"""Activations [n, units]: sparse for latents, dense for neurons."""


def fires(codes: sparse.csr_matrix) -> sparse.csr_matrix:
    """1.0 where an activation is above 0, with the sparsity of the codes."""
    firing = codes.copy()
    firing.data = (firing.data > 0).astype(np.float64)
    firing.eliminate_zeros()
    return firing


def masked_cosines(x: sparse.csr_matrix, y: sparse.csr_matrix) -> sparse.csr_matrix:
    """Masked cosine of every column of x with every column of y (Bricken et al. 2023, 'Feature splitting').

    The cosine of two columns of activations on the tokens on which the first fires, or on those on which the second
    does: the larger of the two. Activations are at least 0; pairs that never fire together are left out (0).

    Returns: [columns of x, columns of y].
    """
    dot = (x.T @ y).tocsr()
    # one structure for all three products: none of their terms is 0 where both columns fire
    y_where_x, x_where_y = (fires(x).T @ y.multiply(y)).tocsr(), (x.multiply(x).T @ fires(y)).tocsr()
    for product in (dot, y_where_x, x_where_y):
        product.sort_indices()
    square_x, square_y = (np.asarray(each.multiply(each).sum(0)).ravel() for each in (x, y))
    row = np.repeat(np.arange(dot.shape[0]), np.diff(dot.indptr))
    on_x = dot.data / np.sqrt(square_x[row] * y_where_x.data)
    on_y = dot.data / np.sqrt(x_where_y.data * square_y[dot.indices])
    return sparse.csr_matrix((np.maximum(on_x, on_y), dot.indices, dot.indptr), shape=dot.shape)


def _times(x: Columns, y: Columns) -> Columns:
    return x.multiply(y).tocsr() if sparse.issparse(x) else x * y


def by_document(
    columns: Columns, document: Integer[np.ndarray, " n"], n_documents: int
) -> Float[np.ndarray, "documents columns"]:
    """Sum of every column over the tokens of each document; float64."""
    n = len(document)
    member = sparse.csr_matrix((np.ones(n), (document, np.arange(n))), shape=(n_documents, n))
    sums = member @ columns
    return sums.toarray() if sparse.issparse(sums) else sums


def paired_correlations(
    x: Columns, y: Columns, document: Integer[np.ndarray, " n"], weights: Float[np.ndarray, "samples documents"]
) -> Float[np.ndarray, "samples pairs"]:
    """Pearson correlation of column p of x with column p of y, with each document weighted.

    NaN where a sample has no token on which the column of x is not 0.
    """
    n_documents = weights.shape[1]
    totals = [
        weights @ by_document(each, document, n_documents) for each in (x, y, _times(x, x), _times(y, y), _times(x, y))
    ]
    n = weights @ np.bincount(document, minlength=n_documents).astype(np.float64)
    return np.where(totals[2] > 0, pearson_from_sums(n[:, None], *totals), np.nan)


def follows(place: Integer[np.ndarray, " n"]) -> Bool[np.ndarray, " n-1"]:
    """True for each row but the last whose next row is the next token of the text."""
    return np.diff(place) == 1
