"""Entropy and divergence by hand."""

import numpy as np
import pytest

from scripts.monosem.metrics import information


def test_token_entropy_closed_forms():
    weights = np.array([[0, 7, 0, 0], [2, 2, 2, 2], [1, 1, 0, 0], [0, 0, 0, 0]])
    entropy = information.distribution_entropy(weights)
    assert entropy[:3] == pytest.approx([0, np.log(4), np.log(2)])
    assert np.isnan(entropy[3])


def test_divergence_by_hand_and_where_a_probability_has_underflowed():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.75, 0.0])
    assert information.kl_divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert information.kl_divergence(p, p) == 0
    assert np.isfinite(information.kl_divergence(p, np.array([1.0, 0.0, 0.0])))
