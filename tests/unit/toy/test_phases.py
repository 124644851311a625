"""Closed forms of the phase diagrams, and the enumeration that stands in for sampling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("n", [2, 3])
def test_all_solutions_are_equal_at_the_triple_point(n):
    losses = list(phases.solution_losses(n, np.array(4 / 7), np.array(1.0)).values())
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(n=st.sampled_from([2, 3]), p=st.floats(0.02, 0.95))
def test_the_fate_changes_at_the_boundaries(n, p):
    lower, upper = (float(line) for line in phases.boundaries(n, np.array(p)))
    below, between, above = phases.best_fate(
        n, np.array(p), np.array([lower * 0.999, (lower * upper) ** 0.5, upper * 1.001])
    )
    assert (below, above) == (phases.IGNORED, phases.DEDICATED)
    if lower < 0.99 * upper:
        assert between == phases.SUPERPOSED and p < phases.TRIPLE_POINT


def test_hand_values_of_the_boundaries():
    assert phases.boundaries(2, np.array(0.4)) == pytest.approx((0.4, 2.5))
    assert phases.boundaries(3, np.array(0.4)) == pytest.approx((0.4, 1.0))
    assert phases.boundaries(2, np.array(0.8)) == pytest.approx((1.0, 1.0))


def test_the_classes_of_ideal_weights_are_their_fates():
    for solutions in phases.SOLUTIONS.values():
        for solution in solutions.values():
            norm, shared = geometry.norms(solution.W)[-1], geometry.interference(solution.W)[-1]
            assert phases.fate_of(norm, shared, geometry.REPRESENTED_NORM) == solution.fate


@pytest.mark.parametrize("pair", [0.8, 1.0, 1.3])
def test_fit_recovers_the_triple_point_of_a_made_diagram(pair):
    p, importance = np.geomspace(0.01, 1, 41), np.geomspace(0.1, 10, 41)
    fate = phases.best_fate(2, p[None], importance[:, None], pair)
    assert phases.fit_triple_point(2, p, importance, fate) == pytest.approx(4 / (3 + 4 * pair), abs=0.01)


def test_enumeration_is_the_expectation():
    p = np.array([[0.3, 0.05, 0.9], [1.0, 0.5, 0.01]])
    batch = data.enumerated_batch(p, points=4)
    assert batch.x.shape == (1, 125, 3)
    weight = batch.weight.double()
    assert weight.sum(-1).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    x = batch.x.double()
    assert (weight[..., None] * x).sum(1).numpy() == pytest.approx(p / 2, abs=1e-6)
    product = (weight * (x[..., 0] * x[..., 1] ** 2 * x[..., 2] ** 3)).sum(1)
    assert product.numpy() == pytest.approx(p.prod(-1) / (2 * 3 * 4), abs=1e-7)


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
