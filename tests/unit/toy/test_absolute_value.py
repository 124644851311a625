import math

import numpy as np
import pytest
import torch
import yaml

from scripts.monosem.core.declaration import from_params
from scripts.monosem.toy import absolute_value_model, neuron_roles
from scripts.monosem.toy.experiments import absolute_value, polysemantic_neuron, privileged_basis
from scripts.monosem.toy.settings import AbsoluteValueConfig
from scripts.monosem.toy.theory import absolute_value as absolute_value_theory
from scripts.monosem.toy.theory import superposition
from scripts.monosem.workflow.checks import toy


def exact(n):
    """Two neurons per feature, +x and −x: y' = |x|."""
    W1 = np.concatenate([np.eye(n), -np.eye(n)])
    return W1, np.abs(W1).T


def tensors(W1, W2, b):
    return absolute_value_model.Parameters(
        *(torch.tensor(np.asarray(value), dtype=torch.float32) for value in (W1, W2, b))
    )


def test_two_neurons_per_feature_are_exact():
    W1, W2 = exact(3)
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert absolute_value_model.forward(tensors(W1, W2, np.zeros(3)), x, "relu").numpy() == pytest.approx(
        x.abs().numpy()
    )
    assert neuron_roles.monosemantic_share(W1, W2) == 1.0
    assert neuron_roles.asymmetric_motifs(W1, W2) == []


def test_training_finds_the_exact_solution_unless_the_hidden_layer_is_linear():
    config = from_params(
        AbsoluteValueConfig,
        {
            "n": 3, "m": 6, "importance": 1.0, "probabilities": [1.0], "restarts": 8, "steps": 1000, "batch_size": 128,
            "learning_rates": [0.01], "evaluation_samples": 4096,
        },
    )  # fmt: skip
    accepted = absolute_value.run(config, 0, "cpu")[0]["acceptance"]
    assert accepted["unexplained"]["value"] < 0.01 and accepted["monosemantic_share"]["value"] == 1.0
    assert accepted["linear_hidden_fails"]["value"] > 0.3


@pytest.mark.parametrize("p", [1.0, 0.3, 0.02])
def test_the_bound_is_the_loss_of_pairs_on_the_most_important_features(p):
    n, m, importance = 6, 4, 0.7 ** np.arange(6)
    W1, W2 = exact(n)
    kept = [0, 1, n, n + 1]
    b = np.where(np.arange(n) < m // 2, 0.0, p / 2)
    batch = absolute_value_model.signed_batch(torch.full((1, n), p), 200_000, torch.Generator().manual_seed(0))
    measured = absolute_value_model.loss(
        tensors(W1[None, kept], W2[None][:, :, kept], b[None]), batch, torch.tensor(importance).float(), "relu"
    )
    bound = absolute_value_theory.absolute_value_bound(np.full(n, p), importance, m)
    assert measured.item() == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize("p", [1.0, 0.3, 0.02])
def test_two_neurons_on_one_feature_beat_one_on_each_of_two(p):
    """The step of the bound that is not obvious, by weighted least squares on a fine grid."""
    inside = (np.arange(20_000) + 0.5) / 10_000 - 1.0
    x, weight = np.append(inside, 0.0), np.append(np.full(20_000, p / 20_000), 1.0 - p)
    side = np.stack([np.maximum(x, 0), np.ones_like(x)], axis=1)
    root = np.sqrt(weight)
    answer = np.linalg.lstsq(side * root[:, None], np.abs(x) * root, rcond=None)[0]
    one = weight @ (np.abs(x) - side @ answer) ** 2
    q = p / 2
    v = q / 3 - q**2 / 4
    assert one == pytest.approx(v - (q**2 / 4) ** 2 / v, rel=1e-4)
    assert 2 * one > superposition.feature_variance(p)


def test_signed_features_are_uniform_between_minus_one_and_one():
    batch = absolute_value_model.signed_batch(torch.full((1, 3), 1.0), 100_000, torch.Generator().manual_seed(0))
    x = batch.x[0, 1:]
    assert [x.mean().item(), x.var().item(), x.min().item()] == pytest.approx([0.0, 1 / 3, -1.0], abs=0.01)
    sparse = absolute_value_model.signed_batch(torch.full((1, 3), 0.1), 100_000, torch.Generator().manual_seed(1))
    assert ((sparse.x[0] != 0).float() * sparse.weight[0][:, None]).sum(0).numpy() == pytest.approx(0.1, rel=0.05)


def test_rescaling_keeps_the_function_and_the_purity():
    generator = np.random.default_rng(0)
    W1, W2 = generator.standard_normal((5, 4)), generator.standard_normal((4, 5))
    scaled1, scaled2 = absolute_value_model.rescaled(W1, W2)
    assert np.abs(scaled1).max(axis=1) == pytest.approx(1.0)
    x = generator.standard_normal((20, 4))
    assert np.maximum(x @ scaled1.T, 0) @ scaled2.T == pytest.approx(np.maximum(x @ W1.T, 0) @ W2.T)
    assert neuron_roles.purity(scaled1) == pytest.approx(neuron_roles.purity(W1))
    assert neuron_roles.strength(scaled1, scaled2) == pytest.approx(neuron_roles.strength(W1, W2))


def test_purity_of_hand_values_and_of_a_silent_neuron():
    assert neuron_roles.purity(np.array([[3.0, -4.0], [0.0, 2.0], [0.0, 0.0]])) == pytest.approx([0.64, 1.0, 0.0])


def test_the_motif_of_the_paper_is_found_with_its_inhibition():
    W1 = np.array([[2.0, -0.5], [1.0, 0.0]])  # the motif, and a neuron that fires with the loud feature
    W2 = np.array([[0.5, 0.0], [2.0, -4.0]])  # which writes the soft feature's output down
    (motif,) = neuron_roles.asymmetric_motifs(W1, W2)
    assert (motif.neuron, motif.loud, motif.soft) == (0, 0, 1)
    assert (motif.ratio_in, motif.ratio_out, motif.interference, motif.net) == (4.0, 4.0, 4.0, 0.0)
    assert neuron_roles.asymmetric_motifs(np.array([[1.0, -1.0]]), np.array([[1.0], [1.0]])) == [], "symmetric"


def test_learning_rates_must_match_probabilities():
    problem = next(toy.problems("x", {"kind": "absolute-value", "probabilities": [1, 0.1], "learning_rates": [1]}))
    assert problem == "toy.x.learning_rates: expected one for each of the 2 probabilities, found 1"


def test_levels_keep_their_order_at_several_learning_rates():
    settings = yaml.safe_load(open("config/toy.yaml"))["toy"]["absolute-value-exact"]
    settings = {key: value for key, value in settings.items() if key != "kind"}
    settings |= {"probabilities": [1.0, 0.1, 0.5], "learning_rates": [0.01, 0.001, 0.01], "restarts": 1, "steps": 3,
                 "batch_size": 8}  # fmt: skip
    stack = absolute_value.train_stack(from_params(AbsoluteValueConfig, settings), "relu", 0, "cpu")
    alone = from_params(AbsoluteValueConfig, {**settings, "probabilities": [0.1], "learning_rates": [0.001]})
    apart = absolute_value.train_stack(alone, "relu", 0, "cpu")
    assert stack.W1.shape == (3, 6, 3) and np.array_equal(stack.W1[1], apart.W1[0])


def test_cross_entropy_of_the_papers_example():
    mono, poly = (absolute_value_theory.cross_entropy_of_group(size, 4) for size in (1, 2))
    assert (mono, poly) == pytest.approx((0.75 * math.log(3), math.log(2)))
    assert (round(mono, 3), round(poly, 3)) == (0.824, 0.693)
    assert [absolute_value_theory.squared_error_of_group(size, 4) for size in (1, 2, 3)] == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("kind", ["cross_entropy", "squared_error"])
def test_closed_form_of_a_group_is_the_loss_of_its_best_outputs(kind):
    for size in (1, 2):
        group = torch.arange(4) < size
        big = torch.where(group, 30.0, -30.0)[None]
        if kind == "cross_entropy":
            best, exact_loss = (big, -big), absolute_value_theory.cross_entropy_of_group(size, 4)
        else:
            best = (group.float()[None] / size, (~group).float()[None] / (4 - size))
            exact_loss = absolute_value_theory.squared_error_of_group(size, 4)
        found = polysemantic_neuron.expected_loss(polysemantic_neuron.Parameters(big, *best), kind)
        assert found.item() == pytest.approx(exact_loss, abs=1e-5)


def test_groups_are_sets_of_features_that_share_neurons():
    W = np.zeros((5, 6))
    W[0, 0] = W[1, 1] = 1.0
    W[2:4, 2:5] = [[1, 0.8, -0.7], [1, -0.7, 0.8]]
    W[4, 5] = 0.3  # too short to be represented
    assert privileged_basis.groups(W) == [(3, 2), (1, 1), (1, 1)]
    assert privileged_basis.in_words(privileged_basis.groups(W)) == "3 in 2, 2 × 1 in 1"


def test_published_group_at_each_probability():
    found = [privileged_basis.published(p) for p in (1.0, 0.35, 0.15, 0.12, 0.065, 0.03)]
    assert found == [(1, 1), (3, 2), (5, 3), (6, 4), (8, 5), None]
