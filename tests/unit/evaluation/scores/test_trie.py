"""Patterns of tokens: exact child before wildcard, first leaf, document and window as borders."""

import numpy as np
import pytest

from scripts.monosem.evaluation.scores.trie import WILDCARD, Backwards, Node, predict

EOS = 0


def text(tokens, starts=None, reach=3):
    places = np.arange(len(tokens))
    starts = np.zeros(len(tokens), int) if starts is None else np.array(starts)
    return Backwards.of(np.array(tokens), places, starts, reach, 10, EOS)


def predicted(patterns, where):
    root = Node()
    for pattern, value in patterns:
        root.add(pattern, value)
    rows, values = predict(root, where)
    return dict(zip(rows.tolist(), values.tolist(), strict=True))


def test_a_token_is_predicted_wherever_it_is():
    assert predicted([((5,), 2.0)], text([5, 1, 5, 2])) == {0: 2.0, 2: 2.0}


def test_a_pattern_reads_backwards():
    assert predicted([((7, 3), 1.0)], text([3, 7, 7, 3])) == {1: 1.0}


def test_the_exact_child_is_taken_before_the_wildcard_and_there_is_no_way_back():
    patterns = [((7, 3, 4), 1.0), ((7, WILDCARD, 5), 2.0)]
    assert predicted(patterns, text([4, 3, 7])) == {2: 1.0}
    assert predicted(patterns, text([5, 6, 7])) == {2: 2.0}
    assert predicted(patterns, text([5, 3, 7])) == {}


def test_the_first_leaf_ends_the_walk_and_equal_patterns_are_averaged():
    assert predicted([((7,), 1.0), ((7,), 3.0), ((7, 3), 9.0)], text([3, 7])) == {1: 2.0}


def test_a_wildcard_at_the_end_stands_for_any_token_with_none_of_its_own():
    assert predicted([((WILDCARD, 3), 1.0), ((7,), 5.0)], text([3, 8, 3, 7])) == {1: 1.0, 3: 5.0}


def test_patterns_end_at_documents_and_windows():
    assert predicted([((7, 3), 1.0)], text([3, EOS, 7])) == {}
    assert predicted([((7, WILDCARD, 3), 1.0)], text([3, EOS, 7])) == {}
    assert predicted([((7, 3), 1.0)], text([3, 7], starts=[0, 1])) == {}


def test_leaves_are_the_patterns_that_a_walk_reaches():
    root = Node()
    root.add((7, 3), 4.0)
    root.add((5,), 1.0)
    assert sorted(root.leaves()) == [((5,), 1.0), ((7, 3), 4.0)]


def test_no_pattern_predicts_nothing():
    rows, values = predict(Node(), text([1, 2]))
    assert len(rows) == 0 and len(values) == 0 and values.sum() == pytest.approx(0)
