"""Statistics and examples of units, where they can be counted by hand."""

import numpy as np
import pytest
from scipy import sparse

from scripts.monosem.browser import units
from scripts.monosem.evaluation.latents.examples import REACH

CONTEXT, VOCAB = 40, 7


@pytest.fixture(scope="module")
def made():
    """60 windows; unit 0 fires on token 3, stronger in later windows, unit 1 never, unit 2 on two tokens alike."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 3, (60, CONTEXT))
    tokens[:, 20], tokens[:, 5], tokens[:, 30] = 3, 4, 5
    labels = (tokens == 3).astype(np.uint8)
    dense = np.zeros((60, CONTEXT, 3), np.float32)
    dense[:, 20, 0] = np.arange(1, 61)
    dense[:, 5, 2], dense[:, 30, 2] = 2, 2
    kept = np.ones((60, CONTEXT), bool)
    kept[:, 0] = False
    activations = sparse.csr_matrix(dense[kept])
    reading = units.Reading(tokens, labels, np.flatnonzero(kept), activations, VOCAB)
    return reading, units.tables(reading, 2, seed=1)


def test_counts(made):
    reading, tables = made
    n = 60 * (CONTEXT - 1)
    assert tables["density"].tolist() == pytest.approx([60 / n, 0, 120 / n])
    assert tables["max"].tolist() == [60, 0, 2]
    assert tables["label_counts"].tolist() == [[0, 60], [0, 0], [120, 0]]
    assert tables["histogram"].sum(1).tolist() == [60, 0, 120]
    assert tables["histogram"][2, -1] == 120
    assert tables["effective_tokens"].tolist() == pytest.approx([1, 0, 2], abs=1e-4)


def test_top_tokens_are_by_mean_over_all_occurrences(made):
    _, tables = made
    assert tables["top_tokens"][0, 0] == 3 and tables["top_means"][0, :2].tolist() == [30.5, 0]
    assert set(tables["top_tokens"][2, :2].tolist()) == {4, 5} and tables["top_means"][2, :3].tolist() == [2, 2, 0]


def test_a_rare_token_comes_after_the_usual_ones():
    tokens, values = np.array([1, 1, 2]), np.array([1.0, 1.0, 9.0])
    ids, means, _ = units.top_tokens(tokens, values, np.array([0, 10, 2]))
    assert ids.tolist() == [1, 2] and means.tolist() == pytest.approx([0.2, 4.5])


def test_examples_are_the_largest_then_random_ones_by_interval_in_other_windows(made):
    _, tables = made
    places = tables["example_places"][0]
    window, position = places // CONTEXT, places % CONTEXT
    assert (position == 20).all() and len(set(window.tolist())) == len(places)
    assert window[: units.TOP].tolist() == list(range(59, 49, -1))
    share = (window[units.TOP :] + 1) / 60
    bands = np.repeat([4, 3, 2, 1], units.PER_INTERVAL)
    assert (np.ceil(share * 5 - 1e-9) == bands).all()
    assert (tables["example_places"][1] == units.NO_PLACE).all()
    # a unit that fires everywhere alike has no random ones
    assert (tables["example_places"][2, units.TOP :] == units.NO_PLACE).all()


def test_activations_around_an_example_are_shares_of_the_maximum(made):
    _, tables = made
    around = tables["example_activations"][0, 0]
    assert around[REACH] == 255 and around.sum() == 255
    second = tables["example_activations"][0, 1, REACH]
    assert second == np.ceil(255 * 59 / 60)


def test_an_activation_above_0_is_never_shown_as_0():
    tokens = np.zeros((1, CONTEXT), int)
    dense = np.zeros((CONTEXT, 1), np.float32)
    dense[10], dense[11] = 1000, 0.01
    reading = units.Reading(tokens, tokens.astype(np.uint8), np.arange(CONTEXT), sparse.csr_matrix(dense), VOCAB)
    assert units.tables(reading, 1, 0)["example_activations"][0, 0, REACH : REACH + 3].tolist() == [255, 1, 0]
