from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.toy import data, geometry, models, superposition_models, training
from scripts.monosem.toy.experiments import superposition
from scripts.monosem.toy.settings import SuperpositionConfig
from scripts.monosem.toy.theory import superposition as superposition_theory

SMALL = SuperpositionConfig(
    n=6, m=2, importance=0.8, probabilities=(1.0, 0.02), restarts=3, steps=700, batch_size=128, learning_rate=0.02,
    evaluation_samples=20_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def stacks():
    return {output: superposition_models.train_stack(SMALL, output, seed=0) for output in superposition.OUTPUTS}


def test_hand_value_of_the_loss():
    parameters = models.Parameters(torch.tensor([[1.0, -1.0]]), torch.tensor([0.0, 0.5]))
    batch = data.Batch(torch.tensor([[0.6, 0.2]]), torch.tensor([1.0]))
    # h = 0.4; pre = (0.4, 0.1)
    relu = models.reconstruction_loss(parameters, batch, torch.tensor([1.0, 10.0]), "relu")
    assert relu.item() == pytest.approx(0.2**2 + 10 * 0.1**2)
    flipped = data.Batch(torch.tensor([[0.0, 0.9]]), torch.tensor([1.0]))
    # h = -0.9; pre = (-0.9, 1.4): the ReLU hides the negative interference
    relu, linear = (models.reconstruction_loss(parameters, flipped, torch.ones(2), o) for o in ("relu", "linear"))
    assert [relu.item(), linear.item()] == pytest.approx([0.5**2, 0.9**2 + 0.5**2])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), p=st.floats(0.05, 1.0))
def test_sampled_linear_loss_agrees_with_its_closed_form(seed, p):
    source = torch.Generator().manual_seed(seed)
    parameters = models.initialise((1,), 6, 2, source)._replace(b=torch.rand(1, 6, generator=source))
    importance = 0.7 ** np.arange(6)
    batch = data.stratified_batch(torch.full((1, 6), p), 40_000, source)
    sampled = models.reconstruction_loss(parameters, batch, torch.tensor(importance, dtype=torch.float32), "linear")
    W, b = parameters.W[0].double().numpy(), parameters.b[0].double().numpy()
    assert sampled.item() == pytest.approx(superposition_theory.linear_loss(W, b, np.full(6, p), importance), rel=0.05)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), m=st.integers(1, 5), p=st.floats(0.01, 1.0))
def test_no_linear_model_beats_the_linear_optimum(seed, m, p):
    rng = np.random.default_rng(seed)
    importance, probabilities = rng.uniform(0.1, 1.0, 6), np.full(6, p)
    best = np.eye(6)[np.sort(np.argsort(-importance)[:m])]
    b = (np.eye(6) - best.T @ best) @ superposition_theory.feature_mean(probabilities)
    optimum = superposition_theory.linear_optimum(probabilities, importance, m)
    assert superposition_theory.linear_loss(best, b, probabilities, importance) == pytest.approx(optimum)
    for step in (0.01, 0.3):
        W = best + step * rng.standard_normal(best.shape)
        b = (np.eye(6) - W.T @ W) @ superposition_theory.feature_mean(probabilities)
        assert superposition_theory.linear_loss(W, b, probabilities, importance) > optimum


class Weights(NamedTuple):
    W: torch.Tensor


def test_step_equals_torchs_adam_for_a_transposed_gradient():
    source = torch.Generator().manual_seed(0)
    x, target = torch.randn(3, 7, 4, generator=source), torch.randn(3, 7, 5, generator=source)

    def loss(leaves, _):
        return ((x @ leaves.W.transpose(-1, -2) - target) ** 2).sum((-1, -2))

    start = Weights(torch.randn(3, 5, 4, generator=source))
    setting = training.Optimisation(steps=12, batch_size=1, learning_rate=0.05)
    ours = training.train(start, loss, lambda size, generator: None, setting, source).W
    theirs = start.W.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(Weights(theirs), None).sum(), theirs)
    assert gradient.stride() != theirs.stride(), "so that the test can fail"
    adam = torch.optim.Adam([theirs], fused=True)
    for step in range(setting.steps):
        adam.param_groups[0]["lr"] = training.learning_rate_at(step, setting)
        adam.zero_grad()
        loss(Weights(theirs), None).sum().backward()
        adam.step()
    assert torch.equal(ours, theirs.detach())


def test_linear_model_reaches_the_pca_like_optimum_at_every_sparsity(stacks):
    W, b = (tensor.double().numpy() for tensor in stacks["linear"].parameters)
    for level, p in enumerate(SMALL.probabilities):
        probabilities = np.full(SMALL.n, p)
        reached = superposition_theory.linear_loss(
            W[level], b[level], probabilities, superposition_models.importances(SMALL)
        )
        assert reached == pytest.approx(
            superposition_theory.linear_optimum(probabilities, superposition_models.importances(SMALL), SMALL.m),
            rel=0.02,
        )
    assert geometry.n_represented(W).tolist() == [SMALL.m] * 2


def test_dense_relu_model_represents_m_features_and_the_mean_of_the_others(stacks):
    W, b = (tensor[0].double().numpy() for tensor in stacks["relu"].parameters)
    assert (geometry.norms(W)[: SMALL.m] > 0.9).all() and (geometry.norms(W)[SMALL.m :] < 0.1).all()
    assert geometry.max_off_diagonal(W) < 0.1
    assert b[SMALL.m :] == pytest.approx(np.full(SMALL.n - SMALL.m, 0.5), abs=0.03)
    assert b[: SMALL.m] == pytest.approx(np.zeros(SMALL.m), abs=0.05)


def test_sparse_relu_model_beats_every_linear_model_by_superposition(stacks):
    W = stacks["relu"].parameters.W[1].double().numpy()
    assert geometry.n_represented(W) > SMALL.m
    optimum = superposition_theory.linear_optimum(
        np.full(SMALL.n, 0.02), superposition_models.importances(SMALL), SMALL.m
    )
    assert stacks["relu"].loss[1] < 0.6 * optimum


def test_same_seed_same_bits_and_other_seed_other_weights():
    config = replace(SMALL, steps=20, evaluation_samples=1024)
    first, again, other = (superposition_models.train_stack(config, "relu", seed).parameters for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.W, other.W)


def test_instances_do_not_influence_one_another():
    importance = torch.ones(5)
    start = models.initialise((3,), 5, 2, torch.Generator().manual_seed(0))
    optimisation = training.Optimisation(steps=30, batch_size=64, learning_rate=0.01)

    def train(parameters):
        return training.train(
            parameters,
            lambda stack, batch: models.reconstruction_loss(stack, batch, importance, "relu"),
            lambda n, source: data.stratified_batch(torch.full((1, 5), 0.2), n, source),
            optimisation,
            torch.Generator().manual_seed(1),
        )

    together = train(start)
    alone = train(models.Parameters(start.W[1:2], start.b[1:2]))
    assert torch.allclose(together.W[1], alone.W[0], atol=1e-5)


def test_learning_rate_is_constant_then_falls_to_zero():
    optimisation = training.Optimisation(steps=100, batch_size=1, learning_rate=0.5)
    rates = [training.learning_rate_at(step, optimisation) for step in range(100)]
    assert rates[:51] == [0.5] * 51
    assert rates[75] == pytest.approx(0.25) and 0 < rates[99] < 0.011


def test_linear_control_fails_the_rule_that_superposition_passes(stacks):
    described = {output: superposition.describe(SMALL, stack, 0) for output, stack in stacks.items()}
    described["relu_equal_importance"] = described["relu"][1:]
    good = superposition.grade(SMALL, described)
    assert good["sparsest_represented_above_m"].passed and good["linear_represented_everywhere"].passed
    control = superposition.grade(SMALL, {**described, "relu": described["linear"]})
    assert not control["sparsest_represented_above_m"].passed
    swapped = superposition.grade(SMALL, {**described, "linear": described["relu"]})
    assert not swapped["linear_represented_everywhere"].passed


@pytest.mark.parametrize("shared", [False, True], ids=["own samples", "shared samples"])
@pytest.mark.parametrize("importance", [None, torch.tensor([1.0, 0.5, 0.2, 3.0])], ids=["equal", "unequal"])
def test_gradients_of_the_fused_loss_are_those_of_its_formula(shared, importance):
    source = torch.Generator().manual_seed(0)
    start = models.initialise((2, 3), 4, 2, source)
    start = models.Parameters(start.W.double(), torch.randn(2, 3, 4, generator=source).double() * 0.1)
    x = torch.rand(3, 50, 4, generator=source).double()
    weight = torch.rand(3, 50, generator=source).double()
    batch = data.Batch(x if shared else x.expand(2, -1, -1, -1).clone(), weight)
    weights = torch.ones(4) if importance is None else importance

    def plain(parameters):
        error = (models.forward(parameters, batch.x, "relu") - batch.x).square() @ weights.double()
        return (error * batch.weight).sum(-1)

    def fused(parameters):
        return models.reconstruction_loss(parameters, batch, None if importance is None else importance, "relu")

    found = []
    for loss in (plain, fused):
        leaves = models.Parameters(*(tensor.clone().requires_grad_() for tensor in start))
        value = loss(leaves)
        (value * torch.arange(1.0, 7.0).reshape(2, 3)).sum().backward()
        found.append([value.detach(), leaves.W.grad, leaves.b.grad])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, rtol=1e-6)


def test_nested_samples_have_the_stated_density_and_are_uniform_when_on():
    p = torch.tensor([1.0, 0.3, 0.02])
    batch = data.nested_batch(p, 50, 20_000, torch.Generator().manual_seed(0))
    on = batch.x > 0
    assert on.float().mean((1, 2)).tolist() == pytest.approx(p.tolist(), rel=0.03)
    for level in range(3):
        quantiles = torch.quantile(batch.x[level][on[level]][:100_000], torch.tensor([0.1, 0.5, 0.9]))
        assert quantiles.tolist() == pytest.approx([0.1, 0.5, 0.9], abs=0.02)
    assert not bool((on[2] & ~on[1]).any())  # the trap that would show: the same features are on, not others
    assert torch.allclose(batch.weight.sum(1), torch.ones(3))
