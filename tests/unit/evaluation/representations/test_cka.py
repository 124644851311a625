"""Latents of two sites are matched on one half of the tokens and scored on the other."""

import numpy as np
import pytest
from scipy import sparse

from scripts.monosem.evaluation.representations import cka


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_latents_find_their_copies_and_nothing_when_tokens_are_permuted(rng):
    x = rng.exponential(size=(4000, 30)) * (rng.random((4000, 30)) < 0.02)
    y = 2 * x[:, ::-1] + 0.1 * rng.exponential(size=x.shape) * (rng.random(x.shape) < 0.02)
    half = np.arange(4000) % 2
    true = cka.matched(sparse.csr_matrix(x), sparse.csr_matrix(y), half)
    permuted = cka.matched(sparse.csr_matrix(x), sparse.csr_matrix(y[rng.permutation(4000)]), half)
    assert true.min() > 0.9 and abs(np.median(permuted)) < 0.05
    assert len(true) == len(permuted) == 30


def test_a_latent_that_fires_in_one_half_only_is_not_compared(rng):
    x = np.zeros((40, 2))
    x[:20, 0], x[:, 1] = 1, rng.random(40)
    half = np.repeat([0, 1], 20)
    assert len(cka.matched(sparse.csr_matrix(x), sparse.csr_matrix(x), half)) == 1
