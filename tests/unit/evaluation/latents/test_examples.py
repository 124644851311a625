"""Examples, token statistics and excerpts of units."""

import numpy as np
import pytest

from scripts.monosem.evaluation.latents import examples
from scripts.monosem.metrics import information


def streamed(values, tokens, top, batch):
    """A tally over windows [n, context] of one unit's activations, a few windows at a time."""
    tally = examples.UnitTally.empty(np.array([0]), 30, top)
    starts = np.arange(len(tokens)) * tokens.shape[1]
    for begin in range(0, len(tokens), batch):
        here = slice(begin, begin + batch)
        kept = np.ones_like(tokens[here], bool)
        tally.add(values[here].reshape(-1, 1), kept, tokens[here], starts[here])
    return tally


def test_top_windows_equal_a_full_sort_whatever_the_batches():
    random = np.random.default_rng(0)
    values, tokens = random.normal(size=(50, 8)).astype(np.float32), random.integers(0, 30, (50, 8))
    peaks = np.maximum(values, 0).max(1)
    order = np.argsort(-peaks, kind="stable")[:5]
    for batch in (1, 7, 50):
        tally = streamed(values, tokens, 5, batch)
        assert np.array_equal(tally.peak[0], peaks[order])
        assert np.array_equal(tally.start[0], order * 8)
        assert np.array_equal(tally.place[0], order * 8 + values[order].argmax(1))


def test_token_sums_and_density_by_hand():
    values = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 0.5]], np.float32)
    tokens = np.array([[4, 4, 7], [7, 4, 9]])
    tally = streamed(values, tokens, 2, 1)
    assert tally.fired[0] == 4
    assert tally.token_sums[[4, 7, 9], 0] == pytest.approx([6, 3, 0.5])
    assert tally.token_sums.sum() == pytest.approx(9.5)


def test_positions_that_are_not_kept_count_nowhere():
    tokens = np.array([[3, 4]])
    tally = examples.UnitTally.empty(np.array([0]), 5, 1)
    tally.add(np.array([[2.0]], np.float32), np.array([[False, True]]), tokens, np.array([10]))
    assert tally.place[0, 0] == 11 and tally.token_sums[:, 0].tolist() == [0, 0, 0, 0, 2]


def test_a_unit_of_one_token_has_no_entropy_and_is_single():
    tokens = np.tile(np.arange(8), (30, 1))
    one = (tokens == 5) * np.linspace(1, 2, 30)[:, None].astype(np.float32)
    tally = streamed(one.astype(np.float32), tokens, examples.TOP_WINDOWS, 4)
    assert examples.single_token(tally, tokens.ravel()) == [True]
    assert information.distribution_entropy(tally.token_sums[:, 0]) == 0
    spread = streamed(np.random.default_rng(0).random((30, 8)).astype(np.float32), tokens, examples.TOP_WINDOWS, 4)
    assert examples.single_token(spread, tokens.ravel()) == [False]


def test_a_rare_unit_is_not_judged():
    tokens = np.tile(np.arange(8), (30, 1))
    values = np.zeros((30, 8), np.float32)
    values[3, 5] = 1
    tally = streamed(values, tokens, examples.TOP_WINDOWS, 30)
    assert examples.single_token(tally, tokens.ravel()) == [None]
    summary = examples.summary(tally, tokens.ravel(), n_live=1)
    assert summary.n_scored == 0 and summary.single_token_share is None


def test_excerpts_stay_in_window_and_document():
    tokens = np.arange(1, 41)
    assert examples.excerpt(tokens, 20, 0) == slice(12, 29)
    assert examples.excerpt(tokens, 2, 0) == slice(0, 11)
    assert examples.excerpt(tokens, 39, 0) == slice(31, 40)
    tokens[[15, 23]] = 0
    assert examples.excerpt(tokens, 20, 0) == slice(16, 23)


def test_top_tokens_need_occurrences():
    sums, occurrences = np.array([9.0, 10, 20, 0]), np.array([1, 5, 20, 50])
    assert examples.top_tokens(sums, occurrences, 3) == [(1, 2.0), (2, 1.0)]
