"""A linear law is learned, noise is not."""

import numpy as np
import pytest

from scripts.monosem.metrics import regression


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_linear_law_is_read_off_and_noise_is_not(rng):
    x, weights = rng.normal(size=(600, 10)), rng.normal(size=10)
    y = x @ weights + 4
    assert regression.r_squared(y[300:], regression.ridge_predictions(x[:300], y[:300], x[300:])) > 0.99
    noise = rng.permutation(y[:300])
    assert regression.r_squared(y[300:], regression.ridge_predictions(x[:300], noise, x[300:])) < 0.1
