"""Lines of D_i and polytopes by Gram matrix: what is ideal is recognised, what is random is not."""

import numpy as np
import pytest

from scripts.monosem.toy import polytopes
from scripts.monosem.toy.experiments import non_uniform, uniform_geometry
from scripts.monosem.toy.settings import LogRange, NonUniformConfig
from scripts.monosem.toy.theory import superposition

IDEALS = {name: superposition.polytope(name) for name in superposition.POLYTOPE_DIMENSIONALITY}


def rotated(W, seed=0):
    """In another basis, with the features in another order."""
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.standard_normal((W.shape[0],) * 2))[0] @ W[:, rng.permutation(W.shape[1])]


@pytest.mark.parametrize("name", IDEALS)
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_ideal_polytopes_are_recognised_in_any_basis_and_order(name, noise):
    W = rotated(IDEALS[name])
    W = W + noise * np.random.default_rng(1).standard_normal(W.shape) / np.sqrt(len(W))
    (component,) = polytopes.components(W)
    assert component.name == name and len(component.features) == W.shape[1]
    assert component.deviation < 1e-12 or noise


def test_components_of_a_tegum_product_are_its_factors():
    W = rotated(superposition.tegum_product(IDEALS["triangle"], IDEALS["pentagon"], IDEALS["digon"], np.eye(1)))
    assert [component.name for component in polytopes.components(W)] == ["pentagon", "triangle", "digon", "alone"]
    assert polytopes.census(polytopes.components(W)) == {
        "alone": 1, "digon": 2, "triangle": 3, "tetrahedron": 0, "pentagon": 5, "square antiprism": 0, "none": 0,
    }  # fmt: skip


def test_five_vectors_with_the_angles_of_no_pentagon_are_none():
    angle = np.radians([0.0, 60.0, 150.0, 200.0, 290.0])
    (component,) = polytopes.components(np.stack([np.cos(angle), np.sin(angle)]))
    assert component.name is None and component.deviation > polytopes.TOLERANCE


def test_equal_rows_with_other_eigenvalues_are_no_polytope():
    # The cosines of a pentagon's rows, arranged as no five vectors in a plane can be: the eigenvalues tell.
    ideal = IDEALS["pentagon"].T @ IDEALS["pentagon"]
    assert polytopes.gram_deviation(ideal, ideal[::-1, ::-1]) < 1e-12
    shuffled = np.eye(8) + 0.5 * (np.eye(8)[[1, 0, 3, 2, 5, 4, 7, 6]] - np.eye(8)[[4, 5, 6, 7, 0, 1, 2, 3]])
    cycle = np.eye(8) + 0.5 * (np.eye(8)[[1, 0, 3, 2, 5, 4, 7, 6]] - np.eye(8)[[7, 2, 1, 4, 3, 6, 5, 0]])
    assert np.sort(shuffled, axis=1) == pytest.approx(np.sort(cycle, axis=1))
    assert polytopes.gram_deviation(shuffled, cycle) > 0.01


def test_absent_features_belong_to_nothing():
    W = np.concatenate([IDEALS["digon"], [[0.1, 0.0]]], axis=1)
    assert [list(component.features) for component in polytopes.components(W)] == [[0, 1]]


def test_a_line_needs_ten_features_and_twice_its_surroundings():
    at, beside = [0.5] * 12, [0.5 + polytopes.AWAY] * 6
    assert polytopes.lines(np.array(at + beside))["1/2"].present
    assert not polytopes.lines(np.array(at + beside + beside[:1]))["1/2"].present
    assert not polytopes.lines(np.array(at[:9]))["1/2"].present


@pytest.mark.parametrize("seed", range(3))
def test_uniform_dimensionalities_have_no_line_at_one_half(seed):
    D = np.random.default_rng(seed).uniform(0.1, 1.0, 2000)
    assert not polytopes.lines(D)["1/2"].present


def test_ideal_polytopes_and_their_tegum_product_are_exact():
    assert uniform_geometry.ideal_error() < 1e-12


def test_gaps_and_classes_of_ideal_arrangements():
    pentagon, digons = non_uniform.ideals()
    assert non_uniform.gaps(rotated(pentagon)) == pytest.approx([72.0] * 5)
    assert non_uniform.gaps(pentagon).sum() == pytest.approx(360.0)
    assert [non_uniform.GEOMETRIES[non_uniform.classify(W)] for W in (pentagon, digons)] == ["pentagon", "two digons"]
    assert non_uniform.GEOMETRIES[non_uniform.classify(np.eye(2, 5))] == "other"


def test_pentagon_wins_for_equal_features_and_digons_if_one_is_rare():
    config = NonUniformConfig(
        probability=0.05, ratios=LogRange(0.1, 1.0, 4), restarts=1, steps=150, points=(8, 5, 2, 1, 1),
        learning_rate=0.03,
    )  # fmt: skip
    losses, stays = non_uniform.branches(config, "relu", 0, "cpu")
    assert losses[1, 0] < losses[0, 0] and losses[0, -1] < losses[1, -1]
    assert stays[1, 0] and stays[0, -1]


def test_digons_count_from_where_they_stay_as_the_feature_grows_rarer():
    ratios = np.array([0.2, 0.25, 0.5, 1.0])
    assert non_uniform.digons_from(ratios, np.array([2, 2, 1, 1])) == 4.0
    assert non_uniform.digons_from(ratios, np.array([2, 1, 2, 1])) == 5.0
    assert non_uniform.digons_from(ratios, np.array([1, 2, 2, 2])) is None
