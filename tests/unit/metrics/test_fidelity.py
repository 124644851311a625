"""Formulas against hand-computed examples, invariances, and the traps that published code fell into."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.metrics import fidelity


def pooled(x, x_hat, centre=None, splits=1):
    """Metrics of whole arrays, summed over `splits` uneven batches."""
    x, x_hat = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(x_hat, dtype=torch.float64)
    centre = x.mean(0) if centre is None else torch.as_tensor(centre, dtype=torch.float64)
    totals, drift = {}, 0
    cuts = sorted({0, len(x), *(len(x) * i * i // splits**2 for i in range(splits))})
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        for name, terms in fidelity.reconstruction_terms(x[start:stop], x_hat[start:stop], centre).items():
            totals[name] = totals.get(name, 0.0) + terms.sum().item()
        drift = drift + (x[start:stop] - centre).sum(0).numpy()
    return fidelity.reconstruction_metrics(totals, drift)


A = [[2.0, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize(
    "x, x_hat, expected",
    [
        (A, [[2, 1], [0, 3]], 0.8),
        (A, [[3, 0], [1, 4]], 0.8),  # a constant bias costs: forms that subtract the mean residual say 1
        ([[1], [1], [7]], [[2], [2], [7]], 11 / 12),
        (A, [[1, 2], [1, 2]], 0.0),  # the mean explains nothing, per dimension
        (A, A, 1.0),
    ],
)
def test_explained_variance_by_hand(x, x_hat, expected):
    assert pooled(x, x_hat)["explained_variance"] == pytest.approx(expected, abs=1e-12)
    x, x_hat = (torch.tensor(rows, dtype=torch.float64) for rows in (x, x_hat))
    assert fidelity.explained_variance_of(x, x_hat) == pytest.approx(expected, abs=1e-12)


def test_explained_variance_of_the_mean_is_zero_far_from_the_origin():
    x = np.random.default_rng(0).normal(size=(500, 64)) + 5
    result = pooled(x, np.tile(x.mean(0), (500, 1)))
    assert result["explained_variance"] == pytest.approx(0, abs=1e-12)


def test_explained_variance_without_variance_is_not_defined():
    assert pooled([[1, 2], [1, 2]], [[1, 2], [1, 1]])["explained_variance"] is None


def test_legacy_explained_variance_is_a_mean_of_ratios():
    assert pooled([[1], [1], [7]], [[2], [2], [7]])["explained_variance_legacy"] == pytest.approx(5 / 6)
    assert pooled(A, [[2, 1], [0, 3]])["explained_variance_legacy"] == pytest.approx(0.8)


def test_mse_sums_over_dimensions_and_averages_over_tokens():
    assert pooled([[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]])["mse"] == 1.5


def test_half_size_reconstruction():
    x = np.random.default_rng(1).normal(size=(50, 8))
    result = pooled(x, x / 2)
    assert result["l2_ratio"] == pytest.approx(0.5)
    assert result["relative_reconstruction_bias"] == pytest.approx(0.5)
    assert result["cossim"] == pytest.approx(1)
    assert result["l2_norm_out"] == pytest.approx(result["l2_norm_in"] / 2)


def test_zero_reconstruction_has_no_bias_ratio():
    result = pooled(A, [[0, 0], [0, 0]])
    assert result["relative_reconstruction_bias"] is None
    assert result["l2_ratio"] == result["cossim"] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.floats(-50, 50))
def test_batching_centre_and_shift_do_not_matter(seed, splits, shift):
    random = np.random.default_rng(seed)
    x = random.normal(size=(40, 3)) * random.uniform(0.5, 3, size=3)
    x_hat = x + random.normal(size=(40, 3)) / 3
    whole = pooled(x, x_hat)
    for name, value in pooled(x, x_hat, splits=splits).items():
        assert value == pytest.approx(whole[name], rel=1e-9)
    moved = pooled(x + shift, x_hat + shift, centre=random.normal(size=3))
    assert moved["explained_variance"] == pytest.approx(whole["explained_variance"], abs=1e-8)
    assert moved["mse"] == pytest.approx(whole["mse"], rel=1e-8)


def test_float32_rows_are_summed_in_float64():
    x = torch.full((1, 4096), 1000.0) + torch.arange(4096) % 2 * 1e-3
    terms = fidelity.reconstruction_terms(x, x, torch.full((4096,), 1000.0))
    expected = (x.double() - 1000).square().sum()
    assert terms["squared_deviation"].dtype == torch.float64
    assert terms["squared_deviation"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_loss_recovered_by_hand():
    assert fidelity.ce_loss_score(2, 3, 5) == pytest.approx(2 / 3)
    pooled_means = fidelity.ce_loss_score((2 + 1) / 2, (3 + 1.5) / 2, (5 + 2) / 2)
    assert pooled_means == pytest.approx(0.625)  # the mean of the two ratios would be .583
    assert fidelity.ce_loss_score(2, 5, 5) == 0 and fidelity.ce_loss_score(2, 2, 5) == 1
    assert fidelity.ce_loss_score(2, 3, 2) is None


def test_divergence_avoided_by_hand():
    assert fidelity.kl_div_score(0.1, 0.4) == pytest.approx(0.75)
    assert fidelity.kl_div_score(0.0, 0.0) is None


def test_a_token_of_no_length_has_no_ratio():
    result = pooled([[0, 0], [3, 4]], [[1, 0], [6, 8]])
    assert result["l2_ratio"] == 2.0
    assert pooled([[0, 0], [0, 0]], [[1, 0], [1, 0]])["l2_ratio"] is None


def test_activations_that_vary_by_rounding_alone_have_no_variance():
    x = 100 + 1e-6 * np.random.default_rng(0).normal(size=(50, 4))  # float32 has steps of 7.6e-6 there
    assert pooled(x, x + 1e-6)["explained_variance"] is None
    assert pooled(100 + 1e3 * (x - 100), x)["explained_variance"] is not None


def test_a_gap_within_rounding_is_no_gap():
    rounding = fidelity.loss_rounding(0.06, 10_000)
    assert rounding == pytest.approx(0.06 / 100)
    assert fidelity.ce_loss_score(3.0, 3.1, 3.0 + rounding / 2, rounding) is None
    assert fidelity.ce_loss_score(3.0, 3.0, 3.0 + 2 * rounding, rounding) == pytest.approx(1)
    assert fidelity.kl_div_score(0.0, rounding / 2, rounding) is None
