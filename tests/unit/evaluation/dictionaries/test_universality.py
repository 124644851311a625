"""A dictionary against itself, against a permutation of itself, and against chance."""

import numpy as np
import pytest

from scripts.monosem.evaluation.dictionaries import universality
from scripts.monosem.evaluation.dictionaries.codes import Side, Units
from scripts.monosem.metrics.bootstrap import document_weights
from tests.helpers.made_codes import DOCUMENTS, VOCAB, made_tokens, units_on

TOKENS = made_tokens()
WEIGHTS = document_weights(DOCUMENTS, 50, seed=0)
USUAL = np.ones(VOCAB, bool)
LOGITS = np.random.default_rng(1).normal(size=(VOCAB, VOCAB)).astype(np.float32)
UNITS = units_on("a", *(TOKENS.token == token for token in range(VOCAB)))


def scored(left: Side, right: Side) -> universality.Scored:
    pairs = universality.choose(left.units, right.units, TOKENS)
    return universality.score(left, right, pairs, TOKENS, WEIGHTS, USUAL)


def test_a_dictionary_matches_itself_at_one():
    side = Side(UNITS, LOGITS)
    result = universality.summarise(scored(side, side))
    assert result.n_units == result.n_candidates == VOCAB
    for estimate in (
        result.median_correlation, result.share_above_half, result.median_logit_correlation,
        result.median_attribution_correlation,
    ):  # fmt: skip
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, 1, 1))
    assert result.mutual_share == 1


def test_matches_follow_a_permutation_of_the_latents():
    order = np.random.default_rng(2).permutation(VOCAB)
    pairs = universality.choose(UNITS, Units("b", UNITS.activations[:, order].tocsr()), TOKENS)
    assert (order[pairs.right] == pairs.left).all()
    assert pairs.mutual.all()


def test_permuted_tokens_leave_nothing_because_matches_are_scored_on_other_text():
    other = Side(universality.permuted(UNITS, TOKENS, seed=3), LOGITS)
    result = universality.summarise(scored(Side(UNITS, LOGITS), other))
    assert abs(result.median_correlation.value) < 0.05
    assert result.share_above_half.value == 0


def test_permuted_tokens_stay_in_their_half():
    half = Units("half", units_on("a", TOKENS.scored).activations)
    assert (universality.permuted(half, TOKENS, seed=0).activations.getnnz(1) > 0).tolist() == TOKENS.scored.tolist()


def test_attribution_is_activation_times_the_weight_of_the_token_that_follows():
    rows = np.ones(len(TOKENS.place), bool)
    given = universality.attribution(Side(UNITS, LOGITS), np.array([4]), rows, TOKENS.following)
    row = int(np.flatnonzero(TOKENS.token == 4)[0])
    assert given[row, 0] == pytest.approx(UNITS.activations[row, 4] * LOGITS[4, TOKENS.following[row]])


def test_dense_neurons_give_what_sparse_ones_do():
    dense = Units("neurons", UNITS.activations.toarray())
    sparse, same = (scored(Side(units, LOGITS), Side(units, LOGITS)) for units in (UNITS, dense))
    other = universality.permuted(dense, TOKENS, 3).activations
    assert (other == universality.permuted(UNITS, TOKENS, 3).activations.toarray()).all()
    assert same.activation == pytest.approx(sparse.activation)
    assert same.attribution == pytest.approx(sparse.attribution, abs=1e-5)


def test_opposite_logit_weights_do_not_hide_equal_activations():
    result = universality.summarise(scored(Side(UNITS, LOGITS), Side(UNITS, -LOGITS)))
    assert result.median_correlation.value == pytest.approx(1)
    assert result.median_logit_correlation.value == pytest.approx(-1)
    assert result.median_attribution_correlation.value == pytest.approx(-1)


def test_advantage_is_the_difference_of_the_medians():
    same, chance = (
        scored(Side(UNITS, LOGITS), Side(units, LOGITS)) for units in (UNITS, universality.permuted(UNITS, TOKENS, 3))
    )
    advantage = universality.advantage(same, chance)
    assert advantage.value == pytest.approx(1 - universality.summarise(chance).median_correlation.value)
    assert advantage.low > 0.9


def test_rare_units_take_no_part():
    rare = np.zeros(len(TOKENS.place), bool)
    rare[:3] = True
    assert len(universality.choose(units_on("a", rare), UNITS, TOKENS).left) == 0
