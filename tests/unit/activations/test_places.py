"""Places of stored rows in the text: where tokens were left out, and where the text is another."""

import numpy as np

from scripts.monosem.activations.places import aligned


def test_stored_rows_find_their_places_where_tokens_of_enormous_norm_are_left_out():
    kept = np.ones((4, 6), bool)
    kept[:, 0], kept[1, 3] = False, False
    places = np.flatnonzero(kept)
    assert aligned(places % 6, kept, 0).tolist() == places.tolist()
    assert aligned(places[:12] % 6, kept, 0).tolist() == places[:12].tolist()
    fewer = np.delete(places, [2, 9])
    assert aligned(fewer % 6, kept, 2).tolist() == fewer.tolist()
    assert aligned(fewer % 6, kept, 1) is None
    other = np.ones((4, 6), bool)
    other[:, 2] = False
    assert aligned(places % 6, other, 3) is None


def test_a_window_without_rows_is_passed_over():
    kept = np.array([[False, True, False], [False, True, True], [False, True, True]])
    assert aligned(np.array([1, 2, 1, 2]), kept, 1).tolist() == [4, 5, 7, 8]
    assert aligned(np.array([1, 2, 1, 2]), kept, 0) is None
    assert aligned(np.array([2, 2, 2]), kept, 9) is None
