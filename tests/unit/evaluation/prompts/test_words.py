"""A latent beside classifiers of words: closed forms, and prompts where words, embeddings or neither tell the set."""

import numpy as np
import pytest

from scripts.monosem.evaluation.prompts import words
from scripts.monosem.evaluation.prompts.differential_latents import Half
from scripts.monosem.metrics import classification

N, LATENTS = 20, 40
LABEL = np.repeat([True, False], N)


def made(seed: int, telling: str) -> words.Prompts:
    """Latent 0 tells the sets apart; texts or embeddings do so as well if asked to."""
    random = np.random.default_rng(seed)
    values = random.exponential(size=(2 * N, LATENTS))
    values[:, 0] += 10 * LABEL
    embeddings = random.normal(size=(2 * N, 6))
    embeddings[:, 2] += 8 * LABEL * (telling == "embeddings")
    first = np.where(LABEL, "joyful", "plain") if telling == "words" else np.full(2 * N, "plain")
    texts = tuple(f"{word} {random.choice(['one', 'two', 'three'])}" for word in first)
    return words.Prompts(Half(values / 2, values, LABEL), texts, embeddings)


def scored(telling: str) -> dict:
    return words.beside_words(made(1, telling), made(2, telling), np.ones(LATENTS, bool), 0, seed=3)


def test_areas_are_those_of_the_curve_and_resampled_in_pairs():
    random = np.random.default_rng(0)
    values = random.integers(0, 4, 2 * N).astype(float)
    areas = words.resampled_auc(values, LABEL, 5)
    assert areas[0] == pytest.approx(classification.auc(values[:, None], LABEL)[0])
    assert len(areas) == words.RESAMPLINGS + 1 and areas[1:].std() > 0.03
    assert words.resampled_auc(-values, LABEL, 5) == pytest.approx(1 - areas)
    assert (words.resampled_auc(LABEL.astype(float), LABEL, 5) == 1).all()


def test_a_latent_gains_nothing_over_words_that_tell_the_set():
    found = scored("words")
    assert found["words"].auc.value == found["latent"].auc.value == 1
    assert found["latent"].over_words.high == 0 and found["latent"].over_embeddings.low > 0


def test_nor_over_embeddings_that_do():
    found = scored("embeddings")
    assert found["embeddings"].auc.value == 1 and found["latent"].over_embeddings.high == 0
    assert found["latent"].over_words.low > 0


def test_a_latent_that_knows_more_gains_and_one_chosen_on_permuted_labels_does_not():
    found = scored("neither")
    latent, chance = found["latent"], found["permuted_labels"]
    assert latent.over_words.low > 0.1 and latent.over_embeddings.low > 0.1
    assert not chance.over_words.low > 0 and not chance.over_embeddings.low > 0
    assert (found["words"].over_words.low, found["words"].over_words.high) == (0, 0)
    assert latent.auc.n == 2 * N
