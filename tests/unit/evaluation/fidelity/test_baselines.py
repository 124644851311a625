"""Baselines: what they keep, what they give up, and that they use as many numbers as they say."""

import numpy as np
import pytest
import torch

from scripts.monosem.evaluation.fidelity import baselines


def rows_of(codes):
    return np.diff(codes.offsets.numpy())


def data(n=400, d=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator)
    return torch.randn(n, d, generator=generator) @ mixing + 3


def test_zero_and_mean_by_hand():
    x, centre = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([2.0, 3])
    assert torch.equal(baselines.zero().apply(x)[0], torch.zeros(2, 2))
    assert torch.equal(baselines.mean(centre).apply(x)[0], torch.tensor([[2.0, 3], [2, 3]]))


def test_top_neurons_by_hand():
    x = torch.tensor([[5.0, 0.1, 4.0, -6.0]])
    centre = torch.tensor([5.0, 2.0, 4.0, -5.0])
    about_mean, codes = baselines.top_neurons_about_mean(centre, 1).apply(x)
    assert torch.equal(about_mean, torch.tensor([[5.0, 0.1, 4.0, -5.0]]))  # the silent neuron is the surprise
    assert codes.latents.tolist() == [1]
    largest, codes = baselines.top_neurons(2).apply(x)
    assert torch.equal(largest, torch.tensor([[5.0, 0, 0, -6.0]]))
    assert sorted(codes.latents.tolist()) == [0, 3]


def test_all_numbers_kept_is_the_identity():
    x = data()
    centre = x.mean(0)
    for full in (
        baselines.top_neurons(8),
        baselines.top_neurons_about_mean(centre, 8),
        baselines.pca(x.split(150), centre, 8),
        baselines.pca(x.split(150), centre, 20),
    ):
        assert torch.allclose(full.apply(x)[0], x, atol=1e-4)


def test_pca_is_the_best_projection():
    x = data()
    centre = x.mean(0)
    error = (baselines.pca(x.split(150), centre, 3).apply(x)[0] - x).square().sum().item()
    singular = torch.linalg.svdvals((x - centre).double())
    assert error == pytest.approx(singular[3:].square().sum().item(), rel=1e-4)  # Eckart-Young


def test_each_uses_k_numbers_per_token():
    x = data()
    centre = x.mean(0)
    for baseline in (
        baselines.top_neurons(3),
        baselines.top_neurons_about_mean(centre, 3),
        baselines.pca(x.split(150), centre, 3),
        baselines.random_dictionary(x, centre, 32, 3, seed=0),
    ):
        assert (rows_of(baseline.apply(x)[1]) == 3).all()


def test_the_scale_of_a_random_dictionary_is_the_least_squares_fit():
    x = data()
    centre = x.mean(0)
    x_hat = baselines.random_dictionary(x, centre, 32, 4, seed=1).apply(x)[0]
    direction, error = (x_hat - centre).double(), (x - x_hat).double()
    assert abs((direction * error).sum() / direction.square().sum()) < 1e-5  # the residual is orthogonal to the fit
    assert error.square().sum() < (x - centre).double().square().sum()


def test_random_dictionaries_follow_their_seed():
    x = data()
    first, again, other = (baselines.random_dictionary(x, x.mean(0), 32, 4, seed).apply(x)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
