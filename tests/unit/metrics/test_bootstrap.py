"""Intervals of known width; documents are resampled, not tokens."""

import numpy as np
import pytest

from scripts.monosem.metrics import bootstrap


def test_bootstrap_interval_of_a_mean_has_the_known_width():
    values = np.random.default_rng(0).normal(size=2000)
    sums = {"value": values, "n": np.ones(2000)}
    totals = bootstrap.bootstrap_totals(sums, 2000, seed=1)
    low, high = bootstrap.interval(totals["value"] / totals["n"])
    assert high - low == pytest.approx(2 * 1.96 / 2000**0.5, rel=0.1)
    assert low < values.mean() < high


def test_bootstrap_is_seeded_and_paired_between_columns():
    sums = {"a": np.arange(20.0), "b": 3 * np.arange(20.0)}
    first, again = (bootstrap.bootstrap_totals(sums, 50, seed=7) for _ in range(2))
    assert np.array_equal(first["a"], again["a"])
    assert np.allclose(first["b"], 3 * first["a"])
    assert not np.array_equal(first["a"], bootstrap.bootstrap_totals(sums, 50, seed=8)["a"])


def test_documents_not_tokens_are_resampled():
    tokens = np.repeat(np.random.default_rng(0).normal(size=40), 100)  # 40 documents of 100 equal tokens
    by_document = {"value": tokens.reshape(40, 100).sum(1), "n": np.full(40, 100.0)}
    by_token = {"value": tokens, "n": np.ones(4000)}

    def width(sums):
        totals = bootstrap.bootstrap_totals(sums, 500, seed=0)
        low, high = bootstrap.interval(totals["value"] / totals["n"])
        return high - low

    assert width(by_document) > 5 * width(by_token)


def test_interval_of_a_mean_by_hand():
    low, high = bootstrap.mean_interval([1.0, 2.0, 3.0])  # t(0.975; 2) = 4.3027, standard deviation 1
    assert (low, high) == (pytest.approx(2 - 4.30265 / 3**0.5, rel=1e-5), pytest.approx(2 + 4.30265 / 3**0.5, rel=1e-5))
    assert bootstrap.mean_interval([0.3]) == (None, None)
