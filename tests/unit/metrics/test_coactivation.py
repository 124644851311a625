"""Masked cosines, correlations of pairs over documents: by hand."""

import numpy as np
import pytest
from scipy import sparse

from scripts.monosem.metrics import bootstrap, coactivation


def test_masked_cosine_of_a_child_is_the_cosine_on_its_own_tokens():
    parent = np.array([1.0, 1.0, 2.0, 2.0, 0.0])
    child = np.array([3.0, 0.0, 3.0, 0.0, 0.0])
    cosines = coactivation.masked_cosines(sparse.csr_matrix(parent[:, None]), sparse.csr_matrix(child[:, None]))
    on_child = (1 * 3 + 2 * 3) / np.sqrt((1 + 4) * (9 + 9))
    on_parent = (1 * 3 + 2 * 3) / np.sqrt((1 + 1 + 4 + 4) * (9 + 9))
    assert on_child > on_parent
    assert cosines.toarray() == pytest.approx(on_child)


def test_masked_cosine_is_one_for_the_same_column_and_zero_for_columns_that_never_meet():
    x = sparse.csr_matrix(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    assert coactivation.masked_cosines(x, x).toarray() == pytest.approx(np.eye(2))


def test_correlations_of_pairs_are_numpys_and_follow_the_weights_of_documents():
    rng = np.random.default_rng(0)
    x, y = (rng.random((40, 3)) * (rng.random((40, 3)) < 0.5) for _ in range(2))
    document = np.repeat(np.arange(4), 10)
    weights = np.array([[1.0, 1, 1, 1], [0, 2, 1, 0]])
    given = coactivation.paired_correlations(sparse.csr_matrix(x), sparse.csr_matrix(y), document, weights)
    drawn = np.concatenate([np.arange(10, 20), np.arange(10, 20), np.arange(20, 30)])
    for row, tokens in enumerate((np.arange(40), drawn)):
        expected = [np.corrcoef(x[tokens, pair], y[tokens, pair])[0, 1] for pair in range(3)]
        assert given[row] == pytest.approx(expected)


def test_a_unit_that_does_not_fire_in_a_sample_has_no_correlation_there():
    x = sparse.csr_matrix(np.array([[1.0], [2.0], [0.0], [0.0]]))
    given = coactivation.paired_correlations(x, x, np.array([0, 0, 1, 1]), np.array([[1.0, 1.0], [0.0, 2.0]]))
    assert given[0, 0] == pytest.approx(1)
    assert np.isnan(given[1, 0])


def test_weights_begin_with_the_text_itself_and_draw_as_many_documents():
    weights = bootstrap.document_weights(7, 20, seed=0)
    assert (weights[0] == 1).all()
    assert (weights.sum(1) == 7).all()
    assert len(np.unique(weights, axis=0)) > 10


def test_interval_of_a_median_covers_as_often_as_it_claims():
    rng = np.random.default_rng(0)
    intervals = [bootstrap.median_interval(rng.normal(size=51)) for _ in range(2000)]
    assert np.mean([low <= 0 <= high for low, high in intervals]) == pytest.approx(0.96, abs=0.02)


def test_interval_of_a_median_of_few_values_is_their_range():
    assert bootstrap.median_interval(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)
