"""Runs of 16 units that documents share: which ones there are, and what follows for the splits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.text import overlap, splits

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def units(*documents) -> list[np.ndarray]:
    return [np.array(document, np.int64) for document in documents]


def text(number: int, n_words: int = 100) -> str:
    """Words that no other number's text has."""
    return " ".join(f"w{number}x{word}" for word in range(n_words))


def test_words_are_cut_after_eight_letters_and_punctuation_counts():
    one, two = overlap.words(["(abcdefghij) is", "is abcdefgh"])
    assert len(one) == 5 and len(two) == 2
    assert two[0] == one[4] and two[1] == one[1]


def test_runs_do_not_cross_documents():
    every = overlap.runs(units(range(10), range(100, 117), range(20), range(15)))
    assert every.document.tolist() == [1, 1, 2, 2, 2, 2, 2]
    assert every.start.tolist() == [10, 11, 27, 28, 29, 30, 31]
    assert every.n_different == 7


def test_equal_runs_have_equal_numbers():
    every = overlap.runs(units(range(18), [99, *range(18)]))
    assert every.number[:3].tolist() == every.number[4:].tolist()
    assert len(set(every.number.tolist())) == 4


def test_near_duplicates_are_those_of_whose_runs_most_came_before_in_texts_that_are_kept():
    base = list(range(116))  # 101 runs
    half = [*range(66), *range(200, 250)]  # 51 of 101 runs are base's
    less = [*range(65), *range(300, 351)]  # 50 of 101
    of_the_dropped = [*range(200, 250), *range(400, 415)]  # its text stands in `half` only, which is dropped
    every = overlap.runs(units(base, half, less, of_the_dropped))
    assert overlap.repeated(every, 0.5).tolist() == [False, True, False, False]


def test_without_leaves_places_that_fit_the_documents_left():
    documents = units(range(20), range(50, 80), range(100, 118))
    every = overlap.without(overlap.runs(documents), np.array([False, True, False]))
    assert every.lengths.tolist() == [20, 0, 18]
    assert every.document.tolist() == [0] * 5 + [2] * 3
    assert every.start[5:].tolist() == [20, 21, 22]


def test_groups_link_what_shares_more_than_the_share_of_either():
    long = list(range(1000))
    part = [*range(30), *range(2000, 2050)]  # 15 of its 65 runs
    less = [*range(27), *range(3000, 3060)]  # 12 of its 72 runs
    of_part = [*range(2000, 2050), *range(4000, 4050)]  # linked through `part`
    every = overlap.runs(units(long, part, less, of_part))
    assert overlap.groups(every, 0.2).tolist() == [0, 0, 2, 0]


def test_share_of_a_group_that_stands_in_others():
    one, two = [*range(20), *range(100, 180)], [*range(20), *range(200, 230)]
    every = overlap.runs(units(one, two, range(500, 550)))
    apart = overlap.shared_with_other_groups(every, np.array([0, 1, 2]))
    assert apart.tolist() == [0.2, 0.4, 0.0]
    assert overlap.shared_with_other_groups(every, np.array([0, 0, 2])).tolist() == [0.0, 0.0, 0.0]


def test_verbatim_counts_tokens_of_runs_that_stand_in_train():
    train = np.array([0, *range(1, 41), 0, *range(100, 120)])
    held_out = np.array([0, 300, *range(5, 25), 301, 0, *range(105, 120), 302, 0, *range(30, 41), *range(100, 110)])
    found = overlap.verbatim(train, np.array([0, 41]), held_out, np.array([0, 23, 40]))
    assert np.flatnonzero(found).tolist() == list(range(2, 22))  # 20 tokens; a run of 15, and one across documents


def test_the_end_of_text_is_in_no_run():
    document = np.array([0, *range(1, 16)])
    start = np.array([0])
    assert not overlap.verbatim(document, start, document, start).any()
    longer = np.array([0, *range(1, 17)])
    assert overlap.verbatim(longer, start, longer, start).tolist() == [False] + [True] * 16


def brute_force(train: list[list[int]], held_out: list[list[int]]) -> list[bool]:
    known = {tuple(row[at : at + overlap.N]) for row in train for at in range(len(row) - overlap.N + 1)}
    found = []
    for row in held_out:
        hit = [tuple(row[at : at + overlap.N]) in known for at in range(len(row))]
        found += [False, *(any(hit[max(0, at - overlap.N + 1) : at + 1]) for at in range(len(row)))]
    return found


ROWS = st.lists(st.lists(st.integers(1, 2), max_size=40), min_size=1, max_size=4)


@given(ROWS, ROWS)
def test_verbatim_is_what_comparing_all_runs_gives(train, held_out):
    def packed(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        starts = np.cumsum([0, *(len(row) + 1 for row in rows)])[:-1]
        return np.array([token for row in rows for token in (0, *row)]), starts

    assert overlap.verbatim(*packed(train), *packed(held_out)).tolist() == brute_force(train, held_out)


def test_copies_with_other_names_are_in_one_split_or_left_out():
    """A third of the corpus is families of texts that share 40 of 100 words."""
    texts = [text(number) for number in range(400)]
    texts += [
        text(1000 + family, 40) + " " + text(2000 + 3 * family + one, 60) for family in range(60) for one in range(3)
    ]
    assigned = splits.assign(texts, [False] * len(texts), SHARES)
    assert None not in assigned.splits
    assert all(len(set(assigned.splits[400 + 3 * family : 403 + 3 * family])) == 1 for family in range(60))
    assert {assigned.splits[400 + 3 * family] for family in range(60)} == set(splits.SPLITS)
    assert assigned.facts["groups"] == 460 and assigned.facts["may_be_held_out_share"] == 1


def test_text_that_stands_elsewhere_is_not_held_out_and_the_splits_keep_their_shares():
    """Half of the texts have 18 of 100 words in common: less than makes a group, more than may be held out."""
    common = text(9999, 18)
    texts = [text(number, 100) for number in range(1000)]
    texts += [common + " " + text(number, 82) for number in range(1000, 2000)]
    assigned = splits.assign(texts, [False] * len(texts), SHARES)
    assert set(assigned.splits[1000:]) == {"train"}
    assert assigned.facts["may_be_held_out_share"] == pytest.approx(0.47, abs=0.01)
    found = Counter(assigned.splits)
    assert found["test"] / 2000 == pytest.approx(0.1, abs=0.03)
    assert found["validation"] / 2000 == pytest.approx(0.1, abs=0.03)
    assert assigned.facts["held_out_up_to"] == splits.HELD_OUT


def test_where_all_texts_share_much_the_least_shared_are_held_out():
    """Letters under one long heading: one group, too large for a split."""
    texts = [text(9999, 40) + " " + text(number, 60 + number) for number in range(100)]
    assigned = splits.assign(texts, [False] * 100, SHARES)
    held_out = [number for number, split in enumerate(assigned.splits) if split != "train"]
    assert len({assigned.splits[number] for number in held_out}) == 2
    assert min(held_out) > 70
    assert assigned.facts["largest_group_share"] == 1 and assigned.facts["held_out_up_to"] > splits.HELD_OUT
