"""The log-likelihood proxy: by hand, and against all stretches tried one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.evaluation.features import proxy

COUNTS = np.array([50, 25, 25])


def tried(ratios, begin, place, least):
    """The largest sum over stretches of `least` tokens or more that end at a place; of fewer at a beginning."""
    starts = [start for start in range(begin, place + 1) if place - start + 1 >= least] or [place]
    return max(sum(ratios[start : place + 1]) for start in starts)


@pytest.mark.parametrize("context, least", [("base64", 1), ("dna", 2)])
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(0, 11))
def test_the_recurrence_tries_every_stretch(context, least, ratios, cut):
    first = sorted({0, min(cut, len(ratios) - 1)})
    values = proxy.proxy(np.array(ratios), np.array(first), context)
    for place, value in enumerate(values):
        begin = max(start for start in first if start <= place)
        assert value == pytest.approx(tried(ratios, begin, place, least), abs=1e-9)


def test_characters_of_the_alphabet_have_one_in_64():
    ratios = proxy.token_ratios(["ab", "a-", "/"], "base64", COUNTS, np.zeros(3, int))
    assert ratios[0] == pytest.approx(2 * np.log(1 / 64) - np.log(0.5))
    assert ratios[1] == pytest.approx(np.log(1 / 64) + np.log(1e-10) - np.log(0.25))
    assert ratios[2] == pytest.approx(np.log(1 / 64) - np.log(0.25))
    letters = proxy.token_ratios(["ACGT", "ACGU", "x"], "dna", COUNTS, np.zeros(3, int))
    assert letters[0] == pytest.approx(4 * np.log(1 / 4) - np.log(0.5)) and letters[1] < -20


def test_a_script_follows_from_its_frequency():
    ratios = proxy.token_ratios([" عر", "a", "\ufffd"], "arabic", COUNTS, np.array([50, 0, 5]))
    assert ratios[0] == pytest.approx(-np.log(0.55))
    assert ratios[1] == pytest.approx(np.log(1e-10) - np.log(0.55))
    assert ratios[2] == pytest.approx(np.log(5 / 25) - np.log(0.55))  # part of a character: a fifth is in the script
    assert np.array_equal(proxy.proxy(ratios, np.array([0]), "arabic"), ratios)


def test_bins_are_bounded_by_the_edges():
    assert proxy.bin_of(np.array([-9.0, -5.0, 0.0, 4.9, 19.0, 20.0])).tolist() == [0, 1, 2, 2, 3, 4]
