"""Formulas of the analyses against hand values, identities and invariances."""

import numpy as np
import pytest
from scipy.stats import kurtosis, ortho_group

from scripts.monosem.metrics import representations


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_hoyer_sparsity_runs_from_equal_entries_to_a_single_one():
    x = np.array([[1.0, -1, 1, -1], [0, 0, -7, 0], [3, 4, 0, 0], [0, 0, 0, 0]])
    values = representations.hoyer_sparsity(x)
    assert values[:3] == pytest.approx([0, 1, 2 - 7 / 5])  # (2 − 7/5) / (2 − 1)
    assert np.isnan(values[3])


def test_kurtosis_is_that_of_scipy_and_zero_for_normal_entries(rng):
    x = rng.normal(3, 2, (4, 50_000))
    assert representations.excess_kurtosis(x) == pytest.approx(kurtosis(x, axis=1))
    assert np.abs(representations.excess_kurtosis(x)).max() < 0.1
    assert np.isnan(representations.excess_kurtosis(np.ones((1, 8))))[0]


def test_outlier_dimensions_go_when_the_basis_is_rotated(rng):
    x = rng.normal(size=(300, 400))
    x[:, 7] *= 20
    x[:, 3] *= 9
    assert representations.outlier_dimensions(x).tolist() == [7, 3]
    rotated = representations.rotate(x, rng)
    assert np.linalg.norm(rotated, axis=1) == pytest.approx(np.linalg.norm(x, axis=1))
    assert len(representations.outlier_dimensions(rotated)) == 0
    assert np.abs(representations.excess_kurtosis(rotated)).mean() < representations.excess_kurtosis(x).mean() / 10


def kernel_hsic(x, y):
    """Song et al. 2012, eq. 5, from the n x n kernels."""
    n = len(x)
    k, l = x @ x.T, y @ y.T  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    return (
        np.trace(k @ l) + one @ k @ one * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ k @ l @ one
    ) / (n * (n - 3))


def test_cka_from_features_is_that_from_kernels(rng):
    x, y = rng.normal(size=(30, 5)) + 2, rng.normal(size=(30, 8))
    y[:, :5] += x
    expected = kernel_hsic(x, y) / np.sqrt(kernel_hsic(x, x) * kernel_hsic(y, y))
    assert representations.linear_cka(x, y) == pytest.approx(expected)
    assert representations.cka_matrix([x, y])[0, 1] == pytest.approx(expected)
    assert representations.cka_matrix([x, y], n_left=1) == pytest.approx(np.array([[expected]]))


def test_cka_sees_through_rotation_scale_and_shift_but_not_through_permuted_tokens(rng):
    x = rng.normal(size=(400, 60)) * np.linspace(0.2, 3, 60)
    same = 3 * x @ ortho_group.rvs(60, random_state=0) + 5
    assert representations.linear_cka(x, same) == pytest.approx(1)
    shuffled = x[rng.permutation(400)]
    assert abs(representations.linear_cka(x, shuffled)) < 0.02
    assert representations.linear_cka(x, shuffled, debiased=False) > 0.05  # number and width alone
    assert representations.linear_cka(x, np.ones((400, 3))) is None


def test_debiased_cka_of_independent_rows_is_zero_on_average_where_the_biased_one_is_not(rng):
    pairs = [(rng.normal(size=(40, 100)), rng.normal(size=(40, 100))) for _ in range(200)]
    debiased, biased = ([representations.linear_cka(*pair, debiased=kind) for pair in pairs] for kind in (True, False))
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / np.sqrt(200)
    assert np.mean(biased) > 0.5


def test_principal_components_are_directions_by_rising_variance():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    rows = rng.standard_normal((5000, 3)) * [3.0, 1.0, 0.1] @ basis + 7.0
    assert np.abs(representations.principal_components(rows) @ basis[::-1].T) == pytest.approx(np.eye(3), abs=0.03)
