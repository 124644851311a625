"""Precision, recall, thresholds and AUC by hand and against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from scripts.monosem.metrics import classification


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_precision_and_recall_by_hand():
    predicted = np.array([1, 1, 1, 0, 0, 0], bool)
    label = np.array([1, 1, 0, 1, 1, 0], bool)
    assert classification.precision_recall_f1(predicted, label) == {
        "precision": pytest.approx(2 / 3), "recall": 0.5, "f1": pytest.approx(4 / 7),
    }  # fmt: skip
    assert classification.precision_recall_f1(np.zeros(6, bool), label)["precision"] is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0]), st.booleans()), min_size=1, max_size=30))
def test_best_threshold_is_the_best_of_all(pairs):
    values, label = (np.array(column) for column in zip(*pairs, strict=True))
    found = classification.best_threshold(values, label)
    candidates = sorted(set(values[values > 0]))
    if not candidates:
        assert found is None
        return
    f1 = {t: classification.precision_recall_f1(values >= t, label)["f1"] for t in candidates}
    assert found == min(t for t in candidates if f1[t] == pytest.approx(max(f1.values())))


def test_auc_is_the_u_statistic(rng):
    values, label = rng.integers(0, 4, (20, 3)).astype(float), np.arange(20) < 8
    expected = [mannwhitneyu(column[label], column[~label]).statistic / (8 * 12) for column in values.T]
    assert classification.auc(values, label) == pytest.approx(expected)
