"""A parent that splits is found with its children; one that does not, and one with foreign children, is not."""

import dataclasses

import numpy as np
import pytest

from scripts.monosem.evaluation.dictionaries import splitting
from scripts.monosem.metrics.bootstrap import document_weights
from tests.helpers.made_codes import DOCUMENTS, made_tokens, units_on

TOKENS = made_tokens()
WEIGHTS = document_weights(DOCUMENTS, 50, seed=0)
SETS = [np.isin(TOKENS.token, some) for some in ([0, 1, 2], [3, 4], [5])]
NARROW = units_on("narrow", *SETS)
WIDE = units_on("wide", *(TOKENS.token == token for token in range(8)), seed=1)
LINKS = splitting.link(NARROW, WIDE, TOKENS)


def test_children_are_the_latents_that_share_the_parents_tokens():
    assert [set(some) for some in LINKS.chosen] == [{0, 1, 2}, {3, 4}, {5}]


def test_union_of_the_children_covers_a_split_parent_and_no_child_does():
    result, covered = splitting.cover(NARROW, WIDE, LINKS, TOKENS, WEIGHTS)
    assert covered.union[0] == pytest.approx([1, 1, 1])
    half = TOKENS.scored
    single = [
        (TOKENS.token[half] == some[0]).sum() / fires[half].sum()
        for some, fires in zip(LINKS.chosen, SETS, strict=True)
    ]
    assert covered.best[0] == pytest.approx(single)
    assert covered.best[0, 2] == 1
    assert result.split_share.value == pytest.approx(2 / 3)
    assert result.children_per_split == pytest.approx(2.5)
    assert result.union_jaccard.value == 1


def test_children_of_another_parent_cover_nothing():
    result, _ = splitting.cover(NARROW, WIDE, LINKS, TOKENS, WEIGHTS, seed=0)
    assert (result.union_jaccard.value, result.gain.value, result.split_share.value) == (0, 0, 0)


def test_a_dictionary_does_not_split_into_itself():
    links = splitting.link(WIDE, WIDE, TOKENS)
    result, _ = splitting.cover(WIDE, WIDE, links, TOKENS, WEIGHTS)
    assert links.chosen == tuple((latent,) for latent in range(8))
    assert result.best_child_jaccard.value == 1
    assert result.split_share.value == 0


def test_a_child_that_fires_mostly_outside_does_not_join():
    parent = np.array([True, True, True, True, False, False, False, False])
    columns = [np.array([0, 1, 2]), np.array([3, 4, 5, 6, 7]), np.array([3])]
    assert splitting.greedy_cover(parent, columns) == [0, 2]


def test_edges_need_the_published_masked_cosine():
    cosines = LINKS.cosines.toarray()
    assert (cosines[cosines > 0] > splitting.EDGE).all()
    assert (cosines[0] > 0).tolist() == [True] * 3 + [False] * 5


def labelled() -> tuple:
    label = np.where(np.isin(TOKENS.token, [0, 1, 2]), 1, 0)
    return dataclasses.replace(TOKENS, label=label), label


def test_latents_of_a_context_are_those_that_fire_within_it():
    tokens, label = labelled()
    rows, samples = splitting.context_latents(WIDE, tokens, label, {"arabic": 1}, WEIGHTS)
    assert set(rows["arabic"].latents) == {0, 1, 2}
    assert rows["arabic"].count.value == 3
    narrow, narrow_samples = splitting.context_latents(NARROW, tokens, label, {"arabic": 1}, WEIGHTS)
    assert narrow["arabic"].latents == (0,)
    grown = splitting.growth(samples, narrow_samples)
    assert (grown.value, grown.low) == (2, 2)


def test_permuted_labels_leave_no_latent_of_a_context():
    tokens, label = labelled()
    label = np.random.default_rng(0).permutation(label)
    rows, _ = splitting.context_latents(WIDE, tokens, label, {"arabic": 1}, WEIGHTS)
    assert rows["arabic"].latents == ()
