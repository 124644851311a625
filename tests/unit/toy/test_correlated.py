"""Correlated sets: samples have the stated statistics, and arrangements are told apart; dynamics are measured."""

import numpy as np
import pytest
import torch

from scripts.monosem.toy import data, models, training
from scripts.monosem.toy.experiments import correlated, dynamics
from scripts.monosem.toy.settings import CorrelatedConfig, LargeSets


def moments(relation, p=0.2, sets=2, size=3):
    batch = data.sets_batch(torch.tensor([p]), sets, size, relation, 200_001, torch.Generator().manual_seed(0))
    weight, x = batch.weight[0].double(), batch.x[0].double()
    return (weight[:, None] * x).sum(0), torch.einsum("s,si,sj->ij", weight, x, x)


def test_correlated_sets_are_on_together_with_independent_values():
    mean, second = moments("correlated")
    assert mean.numpy() == pytest.approx(np.full(6, 0.1), rel=0.03)
    assert second[0, 1].item() == pytest.approx(0.2 / 4, rel=0.03)  # same set: p / 4
    assert second[0, 4].item() == pytest.approx(0.2**2 / 4, rel=0.1)  # other set: p² / 4


def test_of_an_anticorrelated_set_exactly_one_member_is_on():
    mean, second = moments("anticorrelated")
    assert mean.numpy() == pytest.approx(np.full(6, 0.2 / 3 / 2), rel=0.05)
    assert second[0, 1].item() == second[3, 5].item() == 0.0
    assert second[0, 4].item() == pytest.approx((0.2 / 3) ** 2 / 4, rel=0.2)


def test_independent_features_are_the_control():
    mean, second = moments("independent")
    assert mean.numpy() == pytest.approx(np.full(6, 0.1), rel=0.03)
    assert second[0, 1].item() == pytest.approx(0.2**2 / 4, rel=0.1)


def test_partners_and_collapse_by_hand():
    crossed = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
    assert correlated.partner_cosines(crossed) == pytest.approx([0.0, 0.0])
    assert correlated.partner_cosines(crossed[:, [0, 2, 1, 3]]) == pytest.approx([-1.0, -1.0])
    same = np.array([[0.7, 0.8, 0.0, 0.1], [0.0, 0.0, 0.9, 0.8]])
    assert correlated.n_collapsed(same) == 2 and correlated.n_collapsed(crossed) == 0
    assert correlated.n_collapsed(0.2 * same) == 0  # too short to count as represented


def test_local_bases_have_no_interference_within():
    W = np.concatenate([np.eye(4), np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]], axis=1)
    assert correlated.within_over_across(W, 4) == pytest.approx(0.0, abs=1e-12)
    assert correlated.within_over_across(W[:, [0, 4, 1, 5, 2, 6, 3, 7]], 4) > correlated.BAR_LOCAL_RATIO


def test_the_order_of_collapse():
    assert correlated.in_order([3, 3, 2, 1, 1, 0], (3, 2, 1, 0))
    assert not correlated.in_order([3, 2, 0, 0], (3, 2, 1, 0))
    assert not correlated.in_order([3, 1, 2, 1, 0], (3, 2, 1, 0))


def test_octahedra_and_their_antipodes():
    digons = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
    W = np.stack([digons, digons[:, [0, 3, 1, 4, 2, 5]], np.random.default_rng(0).standard_normal((3, 6))])
    found, across = dynamics.octahedra(W)
    assert found.tolist() == [True, True, False]
    assert across[:2].tolist() == [True, False]


def test_stages_are_counted_by_falls_of_the_loss():
    x = np.linspace(0, 1, 150)
    step = lambda at: 1.0 / (1.0 + np.exp(-(x - at) / 0.02))  # noqa: E731
    assert dynamics.stages(np.exp(-step(0.3) - step(0.7))) == 2
    assert dynamics.stages(np.exp(-step(0.5))) == 1


def test_shuffling_intervals_removes_the_jump_correlation():
    rng = np.random.default_rng(0)
    moved = rng.exponential(size=149)
    D = np.cumsum(np.concatenate([[0.0], moved]))[:, None]
    together, shuffled = dynamics.jump_correlation(D, np.exp(-np.cumsum(np.concatenate([[0.0], moved]))), 0)
    assert together == pytest.approx(1.0) and abs(shuffled) < 0.3


def test_watching_does_not_change_training():
    def train(observe):
        source = torch.Generator().manual_seed(0)
        return training.train(
            models.initialise((2,), 5, 2, source),
            lambda stack, batch: models.reconstruction_loss(stack, batch, None, "relu"),
            lambda n, generator: data.nested_batch(torch.tensor([0.3, 0.1]), 5, n, generator),
            training.Optimisation(steps=20, batch_size=32, learning_rate=0.01), source, observe=observe,
        )  # fmt: skip

    seen = []
    watched = train(lambda step, stack: seen.append((step, stack.W.clone())))
    assert torch.equal(watched.W, train(None).W)
    assert [step for step, _ in seen] == list(range(21)) and torch.equal(seen[-1][1], watched.W)


def test_trained_pairs_are_antipodal_or_orthogonal_by_their_correlation():
    config = CorrelatedConfig(
        pair_probability=0.1, hexagon_probability=0.03, bases=LargeSets(2, 4, 4, 1), bases_probability=0.1,
        collapse_probabilities=(), restarts=8, steps=500, batch_size=128, learning_rate=0.03, evaluation_samples=4096,
    )  # fmt: skip
    for relation, low, high in (("correlated", -0.1, 0.1), ("anticorrelated", -1.0, -0.9)):
        W, losses = correlated.fit(config, correlated.Sets(2, 2, relation, 2, 8), (0.1,), 0, "cpu")
        best = correlated.partner_cosines(W[losses[:, 0].argmin(), 0])
        assert (best >= low - 1e-9).all() and (best <= high).all()


def test_published_numbers_of_pairs_are_those_of_ranges_and_of_no_border():
    assert [correlated.published(p) for p in (0.8, 0.3, 0.22, 0.17, 0.15, 0.1, 0.05, 0.02)] == [
        None, 3, None, 2, None, 1, None, 0,
    ]  # fmt: skip
    assert correlated.n_as_published((0.3, 0.17, 0.1, 0.02), [3, 3, 1, 0]) == 3
