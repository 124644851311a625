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


def test_l0_counts_latents_above_zero():
    values, rows = np.array([1.0, 0, 1, 0, 2, 0]), np.array([0, 0, 0, 1, 1, 1])  # [[1, 0, 1], [0, 2, 0]]
    terms = fidelity.sparsity_terms(values, rows, 2)
    assert terms["l0"].mean() == 1.5 and terms["l1"].mean() == 2


def test_densities_by_hand():
    result = fidelity.density_metrics(np.array([1, 0, 1]), 2)
    assert result["frac_alive"] == pytest.approx(2 / 3)
    result = fidelity.density_metrics(np.array([50, 5, 0, 0]), 100)
    assert result["freq_over_10_percent"] == 0.25 and result["freq_over_1_percent"] == 0.5
    assert result["normalized_freq_over_10_percent"] == pytest.approx(50 / 55)
    assert fidelity.density_metrics(np.zeros(3), 100)["normalized_freq_over_1_percent"] is None


def test_max_cosine_leaves_out_the_direction_itself():
    directions = torch.tensor([[1.0, 0], [0, 2], [3, 3], [-1, 0]])
    expected = torch.tensor([0.5**0.5, 0.5**0.5, 0.5**0.5, 0.0])
    assert torch.allclose(fidelity.max_cosines(directions, chunk=3), expected, atol=1e-6)


def test_token_entropy_closed_forms():
    weights = np.array([[0, 7, 0, 0], [2, 2, 2, 2], [1, 1, 0, 0], [0, 0, 0, 0]])
    entropy = fidelity.distribution_entropy(weights)
    assert entropy[:3] == pytest.approx([0, np.log(4), np.log(2)])
    assert np.isnan(entropy[3])


def test_precision_and_recall_by_hand():
    predicted = np.array([1, 1, 1, 0, 0, 0], bool)
    label = np.array([1, 1, 0, 1, 1, 0], bool)
    assert fidelity.precision_recall_f1(predicted, label) == {
        "precision": pytest.approx(2 / 3), "recall": 0.5, "f1": pytest.approx(4 / 7),
    }  # fmt: skip
    assert fidelity.precision_recall_f1(np.zeros(6, bool), label)["precision"] is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0]), st.booleans()), min_size=1, max_size=30))
def test_best_threshold_is_the_best_of_all(pairs):
    values, label = (np.array(column) for column in zip(*pairs, strict=True))
    found = fidelity.best_threshold(values, label)
    candidates = sorted(set(values[values > 0]))
    if not candidates:
        assert found is None
        return
    f1 = {t: fidelity.precision_recall_f1(values >= t, label)["f1"] for t in candidates}
    assert found == min(t for t in candidates if f1[t] == pytest.approx(max(f1.values())))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-100, 100))
def test_pearson_equals_numpy_and_ignores_shifts(seed, shift):
    x, y = np.random.default_rng(seed).normal(size=(2, 50))
    y = y + 0.5 * x
    assert fidelity.pearson(x + shift, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_pearson_of_a_constant_is_zero():
    assert fidelity.pearson(np.ones(5), np.arange(5)) == 0


def test_pearson_from_sums_broadcasts():
    x, y = np.random.default_rng(0).normal(size=(30, 3)), np.random.default_rng(1).normal(size=(30, 2))
    r = fidelity.pearson_from_sums(
        30, x.sum(0)[:, None], y.sum(0), np.square(x).sum(0)[:, None], np.square(y).sum(0), x.T @ y
    )
    assert r == pytest.approx(np.corrcoef(x.T, y.T)[:3, 3:])


def test_bootstrap_interval_of_a_mean_has_the_known_width():
    values = np.random.default_rng(0).normal(size=2000)
    sums = {"value": values, "n": np.ones(2000)}
    totals = fidelity.bootstrap_totals(sums, 2000, seed=1)
    low, high = fidelity.interval(totals["value"] / totals["n"])
    assert high - low == pytest.approx(2 * 1.96 / 2000**0.5, rel=0.1)
    assert low < values.mean() < high


def test_bootstrap_is_seeded_and_paired_between_columns():
    sums = {"a": np.arange(20.0), "b": 3 * np.arange(20.0)}
    first, again = (fidelity.bootstrap_totals(sums, 50, seed=7) for _ in range(2))
    assert np.array_equal(first["a"], again["a"])
    assert np.allclose(first["b"], 3 * first["a"])
    assert not np.array_equal(first["a"], fidelity.bootstrap_totals(sums, 50, seed=8)["a"])


def test_documents_not_tokens_are_resampled():
    tokens = np.repeat(np.random.default_rng(0).normal(size=40), 100)  # 40 documents of 100 equal tokens
    by_document = {"value": tokens.reshape(40, 100).sum(1), "n": np.full(40, 100.0)}
    by_token = {"value": tokens, "n": np.ones(4000)}

    def width(sums):
        totals = fidelity.bootstrap_totals(sums, 500, seed=0)
        low, high = fidelity.interval(totals["value"] / totals["n"])
        return high - low

    assert width(by_document) > 5 * width(by_token)
