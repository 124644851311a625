"""Latents of two sites are matched on one half of the tokens and scored on the other."""

import numpy as np
import pytest
import torch
from scipy import sparse

from scripts.monosem.evaluation.representations import cka, compare
from scripts.monosem.sae import model as sae_model


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


def test_dictionaries_that_were_never_trained_are_matched_beside_the_latents(rng):
    """Two sites that share sparse directions: their latents are each other's partners, random directions hardly are."""
    f = rng.exponential(size=(4000, 24)) * (rng.random((4000, 24)) < 0.1)
    directions = {name: rng.normal(size=(24, 40)) for name in ("a", "b")}
    rows = {name: (f @ each).astype(np.float32) for name, each in directions.items()}
    codes = {name: sparse.csr_matrix(f) for name in rows}
    sae = sae_model.untrained(torch.zeros(40), 24, 3, 0, float("inf"))
    random = {name: compare.random_codes(sae, codes[name], x, seed) for seed, (name, x) in enumerate(rows.items())}
    l0 = f.astype(bool).sum(1).mean()
    assert all(
        each.shape == (4000, 24) and each.nnz / 4000 == pytest.approx(round(l0), rel=0.2) for each in random.values()
    )
    matched, _ = cka.match_latents(codes, random, np.arange(4000) // 20, 0)
    found = compare.matched_summary(matched)
    assert found["least_median_correlation"] > 0.99
    assert abs(found["greatest_median_correlation_permuted"]) < 0.1
    assert (
        found["greatest_median_correlation_random_dictionary"]
        == max(row["random_dictionary"]["median_correlation"] for row in matched.values())
        < 0.9
    )
    nobody = {name: sparse.csr_matrix((4000, 24)) for name in rows}
    silent = compare.matched_summary(cka.match_latents(codes, nobody, np.arange(4000) // 20, 0)[0])
    assert silent["greatest_median_correlation_random_dictionary"] is None
