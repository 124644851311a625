"""Positive pointwise mutual information of tokens and their neighbours."""

import numpy as np
from jaxtyping import Integer
from scipy import sparse


def neighbour_counts(tokens: Integer[np.ndarray, " n"], vocab: int, reach: int) -> sparse.csr_matrix:
    """Counts of each token with each other one at most `reach` places before or after it [vocab, vocab], symmetric."""
    counts = sparse.csr_matrix((vocab, vocab))
    ids = tokens.astype(np.int64)
    for distance in range(1, reach + 1):
        pairs, n = np.unique(ids[:-distance] * vocab + ids[distance:], return_counts=True)
        counts += sparse.csr_matrix((n.astype(np.float64), (pairs // vocab, pairs % vocab)), shape=(vocab, vocab))
    return (counts + counts.T).tocsr()


def ppmi(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """max(0, log p(a, b) / (p(a) p(b))) of a matrix of counts (Levy and Goldberg 2014)."""
    pairs = counts.tocoo()
    rows, columns = (np.asarray(counts.sum(axis), np.float64).ravel() for axis in (1, 0))
    information = np.log(pairs.data * counts.sum() / (rows[pairs.row] * columns[pairs.col]))
    result = sparse.csr_matrix((np.maximum(information, 0), (pairs.row, pairs.col)), shape=counts.shape)
    result.eliminate_zeros()
    return result
