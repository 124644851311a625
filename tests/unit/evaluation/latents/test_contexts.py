"""Choosing and scoring units against labels: known answers, and controls that must fail."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.evaluation.latents import contexts
from scripts.monosem.evaluation.latents.contexts import Column, Halves
from scripts.monosem.evaluation.latents.unit_activations import Block
from scripts.monosem.sae.kernels.sparse import Codes

NAMES = ("natural", "arabic", "dna")


def make_block(f, x):
    """A block of one-token windows with dense latents f [n, d_sae] and neurons x [n, d]."""
    n = len(f)
    rows, latents = np.nonzero(f)
    offsets = np.concatenate([[0], np.cumsum((f != 0).sum(1))])
    codes = Codes(torch.from_numpy(f[rows, latents]).float(), torch.from_numpy(latents), torch.from_numpy(offsets))
    every = np.ones((n, 1), dtype=np.int64)
    return Block(np.arange(n), every, every, every.astype(bool), torch.from_numpy(x).float(), codes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 29))
def test_streamed_correlations_equal_numpy(seed, cut):
    random = np.random.default_rng(seed)
    f = np.maximum(random.normal(size=(30, 4)), 0)
    x = random.normal(size=(30, 3))
    labels = random.integers(0, 3, 30)
    labels[:3] = [0, 1, 2]
    for make, units in (
        (lambda rows: contexts.latent_sums(make_block(f[rows], x[rows]), labels[rows], 3, 4), f),
        (lambda rows: contexts.neuron_sums(make_block(f[rows], x[rows]), labels[rows], 3), x),
    ):
        sums = make(slice(0, cut)) + make(slice(cut, 30))
        r = sums.pearson()
        assert np.array_equal(sums.fired, (units > 0).sum(0))
        for unit in range(units.shape[1]):
            for label in range(3):
                spread = units[:, unit].std() > 0
                expected = np.corrcoef(units[:, unit], labels == label)[0, 1] if spread else 0
                assert r[unit, label] == pytest.approx(expected, abs=1e-5)


def test_dense_columns_come_back_from_sparse_codes():
    f = np.maximum(np.random.default_rng(0).normal(size=(20, 6)), 0).astype(np.float32)
    block = make_block(f, f)
    assert np.array_equal(block.latent_columns(np.array([4, 1]), 6), f[:, [4, 1]])
    assert np.array_equal(block.neuron_columns(np.array([5])), f[:, [5]])


def text(n=4000, seed=0):
    """Labels, and activations of a unit that fires on label 1 and, weakly, at random."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, n, p=[0.9, 0.06, 0.04])
    noise = random.uniform(0, 1, n) * (random.random(n) < 0.1)
    return labels, np.where(labels == 1, random.uniform(1.5, 5, n), noise)


def test_a_clean_unit_scores_perfectly_on_unseen_text():
    (labels, values), (test_labels, test_values) = text(seed=0), text(seed=1)
    scored = contexts.score_unit(Column(7, values, test_values), labels == 1, test_labels == 1)
    assert scored.index == 7
    assert scored.test.scores.precision == 1 and scored.test.scores.recall > 0.99
    assert 0.3 < scored.test.specificity < 0.6  # it also fires weakly elsewhere


def test_the_threshold_never_sees_the_test_half():
    (labels, values), (test_labels, test_values) = text(seed=0), text(seed=1)
    first = contexts.score_unit(Column(0, values, test_values), labels == 1, test_labels == 1)
    other = contexts.score_unit(Column(0, values, test_values * 0.1), labels == 1, test_labels == 1)
    assert first.threshold == other.threshold
    assert other.test.scores.recall == 0


def test_specificity_grows_with_activation():
    labels, values = text()
    steps = contexts.specificity_by_activation(values, labels == 1)
    assert steps[0].in_context_share < 0.05 and steps[-1].in_context_share == 1
    assert sum(step.n_tokens for step in steps) == (values > 0).sum()


def test_a_silent_unit_is_scored_without_numbers_made_up():
    labels, _ = text()
    scored = contexts.score_unit(Column(0, np.zeros(4000), np.zeros(4000)), labels == 1, labels == 1)
    assert scored.threshold is None and scored.test.scores.precision is None
    assert scored.test.scores.recall == 0 and scored.test.scores.pearson == 0
    assert scored.specificity_by_activation == ()


def test_histogram_counts_every_firing_token_once():
    labels, values = text()
    histogram = contexts.histogram(values, labels, 3)
    for label in range(3):
        chosen = values[(labels == label) & (values > 0)]
        assert histogram["counts"][label].sum() == len(chosen)
        assert histogram["mass"][label].sum() == pytest.approx(chosen.sum())


def test_controls_fail_where_the_real_unit_succeeds():
    (labels, arabic), (test_labels, test_arabic) = text(seed=0), text(seed=1)
    random = np.random.default_rng(2)
    dna, test_dna = ((label == 2) * random.uniform(1, 2, len(label)) for label in (labels, test_labels))
    noise = Column(9, *(np.maximum(random.normal(size=4000), 0) for _ in range(2)))
    columns = {"arabic": Column(1, arabic, test_arabic), "dna": Column(2, dna, test_dna)}
    halves = Halves(labels, test_labels)
    result = contexts.score_contexts(
        NAMES, halves, halves.permuted(0), columns, {"arabic": noise, "dna": noise}, columns, noise
    )
    for context, other in (("arabic", "dna"), ("dna", "arabic")):
        scored = result[context]
        assert scored.latent.test.scores.f1 > 0.95 and scored.latent.test.scores.pearson > 0.8
        for control in ("shuffled_labels", "random_latent", "other_contexts_best"):
            assert getattr(scored.controls, control).test.scores.f1 < 0.2
            assert getattr(scored.controls, control).test.scores.pearson < 0.2
        assert scored.confusion[context] > 0.95
        assert sum(scored.confusion.values()) == pytest.approx(1)
        assert scored.firing_rate[other] == 0
        assert scored.pearson_with[context] > 0.8 > 0.2 > scored.pearson_with[other]


def test_permuted_labels_keep_their_counts():
    labels, _ = text()
    shuffled = Halves(labels, labels).permuted(3)
    assert np.array_equal(np.bincount(shuffled.test), np.bincount(labels))
    assert not np.array_equal(shuffled.test, labels)
