"""L0, L1 and densities by hand."""

import numpy as np
import pytest

from scripts.monosem.metrics import sparsity


def test_l0_counts_latents_above_zero():
    values, rows = np.array([1.0, 0, 1, 0, 2, 0]), np.array([0, 0, 0, 1, 1, 1])  # [[1, 0, 1], [0, 2, 0]]
    terms = sparsity.sparsity_terms(values, rows, 2)
    assert terms["l0"].mean() == 1.5 and terms["l1"].mean() == 2


def test_densities_by_hand():
    result = sparsity.density_metrics(np.array([1, 0, 1]), 2)
    assert result["frac_alive"] == pytest.approx(2 / 3)
    result = sparsity.density_metrics(np.array([50, 5, 0, 0]), 100)
    assert result["freq_over_10_percent"] == 0.25 and result["freq_over_1_percent"] == 0.5
    assert result["normalized_freq_over_10_percent"] == pytest.approx(50 / 55)
    assert sparsity.density_metrics(np.zeros(3, int), 100)["normalized_freq_over_1_percent"] is None
