import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.metrics import matching


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(2, 12), extra=st.integers(0, 6), d=st.integers(3, 16))
def test_permuted_and_scaled_dictionary_is_a_perfect_match(seed, n, extra, d):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, d))
    dictionary = np.concatenate([truth * rng.uniform(0.1, 9.0, (n, 1)), rng.standard_normal((extra, d))])
    order = rng.permutation(len(dictionary))
    cosines = matching.cosine_matrix(truth, dictionary[order])
    assert matching.mmcs(cosines) == pytest.approx(1.0)
    assert matching.matched_share(cosines, 0.999) == 1.0
    assert (order[matching.one_to_one(cosines).columns] == np.arange(n)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 12), k=st.integers(1, 12))
def test_one_to_one_uses_no_column_twice_and_never_beats_mmcs(seed, n, k):
    rng = np.random.default_rng(seed)
    cosines = matching.cosine_matrix(rng.standard_normal((n, 5)), rng.standard_normal((k, 5)))
    pairs = matching.one_to_one(cosines)
    assert len(pairs.rows) == len(set(pairs.columns)) == min(n, k)
    if k >= n:
        assert pairs.cosines.mean() <= matching.mmcs(cosines) + 1e-12


def test_hand_example_where_greedy_matching_would_lose():
    cosines = np.array([[0.9, 0.8], [0.8, 0.1]])
    assert matching.one_to_one(cosines).columns.tolist() == [1, 0]
    assert matching.mmcs(cosines) == pytest.approx(0.85)


def test_mmcs_rewards_one_latent_for_two_features_and_one_to_one_does_not():
    truth = np.array([[1.0, 0.0], [1.0, 0.01]])
    cosines = matching.cosine_matrix(truth, np.array([[1.0, 0.0], [0.0, -1.0]]))
    assert matching.mmcs(cosines) > 0.999
    assert matching.matched_share(cosines) == 0.5


def test_the_opposite_direction_is_another_feature():
    assert matching.cosine_matrix(np.eye(3), -np.eye(3)).diagonal() == pytest.approx([-1.0] * 3)


def test_a_zero_row_matches_nothing():
    assert matching.cosine_matrix(np.zeros((1, 4)), np.eye(4)).tolist() == [[0.0] * 4]


def test_features_left_without_a_partner_count_as_missed():
    assert matching.matched_share(matching.cosine_matrix(np.eye(4), np.eye(4)[:2])) == 0.5


@pytest.mark.parametrize(("d", "k", "expected"), [(2, 5, 0.79), (2, 16, 0.97), (20, 200, 0.58)])
def test_chance_mmcs_is_high_in_few_dimensions(d, k, expected):
    assert matching.chance_mmcs(d, k, seed=0) == pytest.approx(expected, abs=0.01)


def test_chance_mmcs_of_a_single_random_direction_is_zero():
    assert matching.chance_mmcs(3, 1, seed=1, n=64 * 200) == pytest.approx(0.0, abs=0.15)


def test_max_cosine_leaves_out_the_direction_itself():
    directions = torch.tensor([[1.0, 0], [0, 2], [3, 3], [-1, 0]])
    expected = torch.tensor([0.5**0.5, 0.5**0.5, 0.5**0.5, 0.0])
    assert torch.allclose(matching.max_cosines(directions, chunk=3), expected, atol=1e-6)
