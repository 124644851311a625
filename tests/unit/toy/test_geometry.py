import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.toy import geometry
from scripts.monosem.toy.theory import superposition


@pytest.mark.parametrize("name", superposition.POLYTOPE_DIMENSIONALITY)
def test_ideal_polytopes_have_their_fractions(name):
    W = superposition.polytope(name)
    assert np.abs(np.linalg.norm(W, axis=0) - 1.0).max() < 1e-12
    assert np.abs(geometry.dimensionality(W) - superposition.POLYTOPE_DIMENSIONALITY[name]).max() < 1e-12


def test_square_antiprism_is_one():
    # Two parallel squares, turned by 45° against each other.
    W = superposition.polytope("square antiprism")
    top, bottom = W[:, ::2], W[:, 1::2]
    assert top[2] == pytest.approx(-bottom[2])
    cosines = np.sort(top.T[:1] @ bottom)[0]
    assert cosines == pytest.approx([-1 / 3 - np.sqrt(2) / 3] * 2 + [-1 / 3 + np.sqrt(2) / 3] * 2)


def test_tegum_product_keeps_the_fractions_of_its_factors():
    # A triangular bipyramid shows 2/3 and 1/2, not 3/5.
    W = np.zeros((3, 5))
    W[:2, :3], W[2:, 3:] = superposition.polytope("triangle"), superposition.polytope("digon")
    assert geometry.dimensionality(W) == pytest.approx([2 / 3] * 3 + [1 / 2] * 2, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), m=st.integers(1, 6), n=st.integers(1, 12), scale=st.floats(0.1, 10.0))
def test_rotation_and_scale_leave_dimensionality_and_it_sums_to_at_most_m(seed, m, n, scale):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((m, n))
    rotation = np.linalg.qr(rng.standard_normal((m, m)))[0]
    D = geometry.dimensionality(W)
    assert geometry.dimensionality(scale * rotation @ W) == pytest.approx(D)
    assert D.sum() <= m + 1e-9
    assert ((D > 0) & (D <= 1 + 1e-9)).all()


def test_orthonormal_features_do_not_interfere_and_absent_ones_are_zero():
    W = np.eye(5, 8)
    assert geometry.interference(W) == pytest.approx(np.zeros(8))
    assert geometry.dimensionality(W) == pytest.approx([1.0] * 5 + [0.0] * 3)
    assert geometry.dimensions_per_feature(W) == pytest.approx(1.0)
    assert geometry.n_represented(W) == 5
    assert geometry.max_off_diagonal(W) == 0.0


def test_antipodal_pair_by_hand():
    W = np.array([[0.8, -0.5, 0.01]])
    assert geometry.interference(W)[:2] == pytest.approx([0.25 + 0.0001, 0.64 + 0.0001])
    assert geometry.max_off_diagonal(W, threshold=0.1) == pytest.approx(0.4)


def test_leading_axes_are_instances():
    W = np.random.default_rng(0).standard_normal((3, 2, 4, 7))
    for function in (geometry.norms, geometry.interference, geometry.dimensionality, geometry.dimensions_per_feature):
        assert np.allclose(function(W)[2, 1], function(W[2, 1]))
