"""Closed forms of the phase diagrams, and the enumeration that stands in for sampling."""

import numpy as np
import pytest
import torch

from scripts.monosem.toy import data, geometry, models
from scripts.monosem.toy.experiments import phase_diagram
from scripts.monosem.toy.settings import LogRange, PhaseDiagramConfig
from scripts.monosem.toy.theory import phases, superposition


def loss_of(W, b, p: float, importance: float, n_samples: int = 3_000_000) -> float:
    """Monte Carlo."""
    x = data.sample(torch.full((1, W.shape[1]), p), n_samples, torch.Generator().manual_seed(0))[0]
    parameters = models.Parameters(torch.tensor(W, dtype=torch.float32), torch.tensor(b, dtype=torch.float32))
    weights = torch.ones(W.shape[1])
    weights[-1] = importance
    return ((models.forward(parameters, x, "relu") - x).square() @ weights).double().mean().item()


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("p, importance", [(0.2, 0.5), (0.7, 3.0)])
def test_losses_of_ideal_solutions_agree_with_monte_carlo(n, p, importance):
    for name, closed in phases.solution_losses(n, np.array(p), np.array(importance)).items():
        W = phases.SOLUTIONS[n][name].W
        b = np.where((W == 0).all(axis=0), superposition.feature_mean(p), 0.0)
        assert loss_of(W, b, p, importance) == pytest.approx(closed, rel=0.01), name


def made_loss(parameters, p, importance, n_samples=400_000):
    w, b = np.array(parameters[:2]) * [1, -1], np.array(parameters[2:])
    return loss_of(w[None], b, p, importance, n_samples)


@pytest.mark.parametrize("parameters", [(1.0, 1.0, 0.0, 0.0), (0.9, 0.6, 0.2, -0.1), (1.1, 0.4, -0.15, 0.3)])
def test_loss_of_a_pair_agrees_with_monte_carlo_and_its_gradient_with_differences(parameters):
    loss, gradient = phases.pair_loss(np.array(parameters), 0.6, 2.0)
    assert made_loss(parameters, 0.6, 2.0) == pytest.approx(loss, rel=0.01)
    for i in range(4):
        step = 1e-6 * np.eye(4)[i]
        ends = [phases.pair_loss(np.array(parameters) + sign * step, 0.6, 2.0)[0] for sign in (1, -1)]
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_ideal_pair_has_its_closed_form():
    ideal = phases.pair_loss(np.array([1.0, 1.0, 0.0, 0.0]), 0.3, 0.5)[0]
    assert ideal == pytest.approx(phases.solution_losses(2, 0.3, 0.5)["antipodal pair"], rel=1e-12)


def test_a_pair_of_free_lengths_wins_where_the_ideal_one_does_not():
    p = 0.68
    variance = float(superposition.feature_variance(p))
    assert phases.solution_losses(2, p, 1.0)["antipodal pair"] > variance > phases.best_pair(p, 1.0)[0]


@pytest.mark.parametrize("p", [0.25, 0.5])
def test_the_fate_changes_at_the_boundaries(p):
    lower, upper = (line[0] for line in phases.boundaries(2, np.array([p])))
    around = np.array([lower * 0.97, lower * 1.03, upper * 0.97, upper * 1.03])
    fates = phases.expected_fate(2, np.array([p]), around)[:, 0].tolist()
    assert fates == [phases.IGNORED, phases.SUPERPOSED, phases.SUPERPOSED, phases.DEDICATED]
    assert phases.pair_is_best(p, lower * 1.03) and not phases.pair_is_best(p, lower * 0.97)


def test_agreement_allows_a_neighbour_and_no_diagonal_or_second_one():
    expected = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    agrees = phases.agrees_within_one_step(np.ones((3, 3), dtype=int), expected)
    assert agrees.tolist() == [[False, False, False], [False, False, True], [False, True, True]]


def test_the_classes_of_ideal_weights_are_their_fates():
    for solutions in phases.SOLUTIONS.values():
        for solution in solutions.values():
            norm, shared = geometry.norms(solution.W)[-1], geometry.interference(solution.W)[-1]
            assert phases.fate_of(norm, shared, geometry.REPRESENTED_NORM) == solution.fate


def test_enumeration_is_the_expectation():
    p = np.array([[0.3, 0.05, 0.9], [1.0, 0.5, 0.01]])
    batch = data.enumerated_batch(p, points=5)
    assert batch.x.shape == (1, 1 + 3 * 5 + 6 * 25 + 6 * 125, 3)
    weight = batch.weight.double()
    assert weight.sum(-1).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    x = batch.x.double()
    assert (weight[..., None] * x).sum(1).numpy() == pytest.approx(p / 2, abs=1e-6)
    product = (weight * (x[..., 0] * x[..., 1] ** 2 * x[..., 2] ** 3)).sum(1)
    assert product.numpy() == pytest.approx(p.prod(-1) / (2 * 3 * 4), abs=1e-7)


def test_enumeration_is_exact_where_the_relu_of_a_digon_has_its_kink():
    batch = data.enumerated_batch(np.array([[0.4, 0.7]]), points=2)
    smaller = (batch.weight.double() * batch.x.double().min(-1).values.square()).sum()
    # E[min²] of two uniform values is 1/6
    assert smaller.item() == pytest.approx(0.4 * 0.7 / 6, rel=1e-6)


def test_crossing_is_interpolated_where_both_curves_are_defined():
    x, difference = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, -1.0, -1.0, 3.0])
    everywhere = np.ones(4, dtype=bool)
    assert phase_diagram.crossing(x, difference, everywhere) == pytest.approx(0.5)
    assert phase_diagram.crossing(x, difference, np.array([False, True, True, True])) == pytest.approx(2.25)
    assert phase_diagram.crossing(x, np.abs(difference), everywhere) is None


def test_relu_models_have_the_three_phases_and_linear_ones_two():
    config = PhaseDiagramConfig(
        n=2, importances=LogRange(0.2, 5.0, 2), probabilities=LogRange(0.05, 0.9, 2),
        restarts=6, steps=300, points=5, learning_rate=0.03, slice_probability=0.3,
    )  # fmt: skip
    relu, linear = (phase_diagram.diagram(config, output, 6, 0, "cpu").fate for output in ("relu", "linear"))
    ignored, shared, alone = phases.IGNORED, phases.SUPERPOSED, phases.DEDICATED
    assert relu.tolist() == [[shared, ignored], [shared, alone]]
    assert linear.tolist() == [[ignored, ignored], [alone, alone]]
