"""Pearson correlation against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scripts.monosem.metrics import correlation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-100, 100))
def test_pearson_equals_numpy_and_ignores_shifts(seed, shift):
    x, y = np.random.default_rng(seed).normal(size=(2, 50))
    y = y + 0.5 * x
    assert correlation.pearson(x + shift, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_pearson_of_a_constant_is_zero():
    assert correlation.pearson(np.ones(5), np.arange(5)) == 0


def test_pearson_from_sums_broadcasts():
    x, y = np.random.default_rng(0).normal(size=(30, 3)), np.random.default_rng(1).normal(size=(30, 2))
    r = correlation.pearson_from_sums(
        30, x.sum(0)[:, None], y.sum(0), np.square(x).sum(0)[:, None], np.square(y).sum(0), x.T @ y
    )
    assert r == pytest.approx(np.corrcoef(x.T, y.T)[:3, 3:])


def test_sparse_correlations_are_those_of_numpy(rng):
    x, y = (rng.normal(size=(50, n)) * (rng.random((50, n)) < 0.3) for n in (4, 6))
    x[:, 2] = 0
    found = correlation.pearson_sparse(sparse.csr_matrix(x), sparse.csr_matrix(y))
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(np.corrcoef(x.T, y.T)[:4, 4:])
    assert found == pytest.approx(expected)


def test_correlations_of_columns_are_those_of_numpy(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    x[:, 1] = 2
    assert correlation.pearson_columns(x, y) == pytest.approx(
        [np.corrcoef(x[:, 0], y)[0, 1], 0, np.corrcoef(x[:, 2], y)[0, 1]]
    )
