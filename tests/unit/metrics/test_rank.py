"""Correlations of sparse columns equal scipy's of the whole columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scripts.monosem.metrics import cooccurrence, rank


def sparse_column(values):
    rows = np.flatnonzero(values)
    return rows, values[rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.9))
def test_sparse_columns_are_correlated_as_whole_ones(seed, share):
    random = np.random.default_rng(seed)
    x, y = (np.where(random.random(60) < share, random.integers(1, 6, 60), 0).astype(float) for _ in range(2))
    pair = (*sparse_column(x), *sparse_column(y), 60)
    if np.ptp(x) and np.ptp(y):
        assert rank.spearman_sparse(*pair) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
        assert rank.pearson_sparse_columns(*pair) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)


def test_a_silent_column_is_correlated_with_nothing():
    silent = (np.empty(0, int), np.empty(0))
    other = (np.array([2, 5]), np.array([1.0, 3.0]))
    assert rank.spearman_sparse(*silent, *other, 10) == 0 and rank.pearson_sparse_columns(*other, *silent, 10) == 0


def test_neighbours_are_counted_on_both_sides():
    counts = cooccurrence.neighbour_counts(np.array([0, 1, 0, 2]), 3, 1).toarray()
    assert counts.tolist() == [[0, 2, 1], [2, 0, 0], [1, 0, 0]]
    assert cooccurrence.neighbour_counts(np.array([0, 1, 2]), 3, 2)[0, 2] == 1


def test_mutual_information_of_independent_tokens_is_zero():
    assert cooccurrence.ppmi(cooccurrence.sparse.csr_matrix(np.outer([1.0, 2.0], [1.0, 2.0]))).nnz == 0
    together = cooccurrence.ppmi(cooccurrence.sparse.csr_matrix(np.eye(2)))
    assert together.toarray() == pytest.approx(np.log(2) * np.eye(2))
