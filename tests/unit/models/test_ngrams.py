"""Kneser-Ney by hand and by its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.models import ngrams


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_of_every_history_sum_to_one(order):
    vocab = 6
    train = np.random.default_rng(0).choice(vocab - 1, 200, p=[0.5, 0.2, 0.15, 0.1, 0.05])  # token 5 is never seen
    counted = ngrams.count(train, order, vocab)
    for history in np.ndindex(*([vocab] * (order - 1))):
        total = sum(np.exp(-ngrams.token_nats(counted, np.array([*history, word]))).item() for word in range(vocab))
        assert total == pytest.approx(1, abs=1e-12)


def test_unigram_by_hand():
    """Counts a 2, b 1, c 1, d 0: n1 = 2, n2 = 1, D = 2/4; P(a) = (2 - .5)/4 + .5 * 3/4 * 1/4."""
    counted = ngrams.count(np.array([0, 0, 1, 2]), 1, 4)
    expected = [1.5 / 4 + 0.09375, 0.5 / 4 + 0.09375, 0.5 / 4 + 0.09375, 0.09375]
    np.testing.assert_allclose(np.exp(-ngrams.token_nats(counted, np.arange(4))), expected, atol=1e-12)


def test_lower_orders_count_distinct_histories_not_occurrences():
    """'San Francisco': 1 follows 0 often and nothing else, so as a continuation it counts once (Kneser & Ney)."""
    counted = ngrams.count(np.array([0, 1, 0, 1, 0, 1, 2, 0, 3, 0]), 2, 4)
    continuations = dict(zip(counted.keys[0], counted.counts[0], strict=True))
    assert continuations == {0: 3, 1: 1, 2: 1, 3: 1}


def test_a_bigram_model_learns_a_cycle_and_a_shuffled_one_does_not():
    cycle = np.tile(np.arange(5), 100)
    shuffled = np.random.default_rng(0).permutation(cycle)
    learnt = ngrams.token_nats(ngrams.count(cycle, 2, 5), cycle).mean()
    control = ngrams.token_nats(ngrams.count(shuffled, 2, 5), cycle).mean()
    assert learnt < 0.05 < np.log(5) - 0.1 < control


@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), st.lists(st.integers(0, 9), min_size=3, max_size=30))
def test_every_text_has_a_finite_loss(train, test):
    for order in (1, 2, 3):
        nats = ngrams.token_nats(ngrams.count(np.array(train), order, 10), np.array(test))
        assert len(nats) == len(test) - order + 1
        assert np.isfinite(nats).all() and (nats >= 0).all()
