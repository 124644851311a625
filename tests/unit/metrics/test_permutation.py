"""Chance levels by permutation."""

import numpy as np
import pytest

from scripts.monosem.metrics import permutation


def test_halves_of_one_sample_differ_by_chance_as_theory_says():
    values = np.random.default_rng(0).normal(size=400)
    # the median of 200 normal numbers has a standard error of √(π/2) / √200; two halves together √2 of it
    assert permutation.chance_difference(values) == pytest.approx(
        1.96 * np.sqrt(np.pi / 2) * np.sqrt(2 / 200), rel=0.25
    )
    assert permutation.chance_difference(np.ones(10)) == 0.0
    assert permutation.chance_difference(np.ones(1)) is None
