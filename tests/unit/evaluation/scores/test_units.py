"""Scores of made units: a planted pattern is found, a unit that is a token scores 1, on permuted text it scores 0."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from scripts.monosem.evaluation.scores import example_embedding, logit_test, n2g, populations, scoring, summary
from scripts.monosem.evaluation.scores.populations import Population, Rows, Sample
from scripts.monosem.evaluation.scores.scoring import Material, SplitRows
from scripts.monosem.evaluation.scores.token_vectors import TokenVectors, token_vectors
from scripts.monosem.evaluation.scores.trie import Backwards, Node
from scripts.monosem.models.sites import Site
from scripts.monosem.sae import model as sae_model

VOCAB, EOS, N = 40, 0, 6000
BIGRAM, TOKEN, PAIRED = 0, 1, 2
SAE = sae_model.untrained(torch.zeros(3), 16, 2, 0, norm_limit=float("inf"))


def fire(tokens):
    """Unit 0 fires on 7 behind 3, unit 1 on 5, unit 2 on 9 if 4 is two places before; [..., n, units]."""
    before = np.concatenate([np.full((*tokens.shape[:-1], 2), -1), tokens], -1)
    one, two = before[..., 1:-1], before[..., :-2]
    return np.stack([2.0 * ((tokens == 7) & (one == 3)), 1.0 * (tokens == 5), 3.0 * ((tokens == 9) & (two == 4))], -1)


def text(seed):
    tokens = np.random.default_rng(seed).integers(1, VOCAB, N)
    for start, pattern in ((10, (3, 7)), (13, (4, 1, 9))):
        for offset, token in enumerate(pattern):
            tokens[start + offset :: 100] = token
    return tokens


@pytest.fixture
def capture(monkeypatch):
    """A model that computes the units themselves at the site."""

    def read(_model, _site, tokens, _separator):
        return torch.from_numpy(fire(tokens.numpy())).float()

    monkeypatch.setattr(n2g.sites, "capture", read)


class Model(torch.nn.Module):
    device = "cpu"


SITE = Site("blocks.0.hook_resid_pre", Model(), "input", 3, 0, "hook_resid_pre")


def material(test_tokens=None):
    splits = []
    for seed in (0, 1):
        tokens = text(seed)
        back = Backwards.of(tokens, np.arange(N), np.zeros(N, int), n2g.LENGTHS[-1], VOCAB, EOS)
        splits.append(SplitRows(tokens, back, np.eye(VOCAB)[tokens]))
    unit = np.eye(VOCAB)
    return Material(*splits, TokenVectors(unit, np.arange(VOCAB) > 0), splits[0].hidden.mean(0), 0)


def sample_of(validation, test, index=(BIGRAM, TOKEN, PAIRED)):
    rows = {"validation": Rows(sparse.csc_matrix(validation)), "test": Rows(test)}

    def read(x, unit):
        return x.gather(1, unit[:, None])[:, 0]

    population = Population("made", Model(), SITE, **rows, read=read, directions=torch.eye(3))
    return Sample(population, np.array(index), np.zeros(len(index), np.float32))


def scores(test=None):
    made, units = material(), [fire(text(seed)) for seed in (0, 1)]
    sample = sample_of(units[0], units[1] if test is None else test)
    counts = np.bincount(made.validation.tokens, minlength=VOCAB)
    tries = n2g.fit(sample, made.validation.backwards, counts, made.vectors, 8, EOS, 0)
    return tries, [scoring.score_unit(sample, place, tries[place], None, made)[0] for place in range(3)]


def test_planted_patterns_are_found_and_predict_unseen_text(capture):
    tries, scored = scores()
    assert [pattern for pattern, _ in tries[TOKEN].leaves()] == [(5,)]
    assert dict(tries[BIGRAM].leaves()) == {(7, 3): 2.0}
    assert dict(tries[PAIRED].leaves()) == {(9, -1, 4): 3.0}
    for unit in scored:
        assert unit["n2g_pearson"] == pytest.approx(1) and unit["n2g_spearman"] == pytest.approx(1)
        assert unit["n2g_precision"] == unit["n2g_recall"] == unit["n2g_f1"] == 1


def test_a_token_table_is_enough_for_a_token_and_not_for_a_pattern(capture):
    _, scored = scores()
    assert scored[TOKEN]["token_pearson"] == pytest.approx(1) and scored[TOKEN]["token_f1"] == 1
    assert scored[TOKEN]["n2g_above_token"] == pytest.approx(0)
    assert scored[BIGRAM]["token_pearson"] < 0.8 and scored[BIGRAM]["n2g_above_token"] > 0.2


def test_on_permuted_text_nothing_is_predicted(capture):
    _, scored = scores(test=np.random.default_rng(0).permutation(fire(text(1))))
    for unit in scored:
        assert abs(unit["n2g_pearson"]) < 0.05 and unit["n2g_f1"] < 0.1 and abs(unit["token_pearson"]) < 0.06
    assert scored[TOKEN]["embedding_auc"] == pytest.approx(0.5, abs=0.1)


def test_hidden_states_that_tell_the_token_tell_its_examples(capture):
    _, scored = scores()
    assert scored[TOKEN]["embedding_auc"] == 1


def test_equal_density_cuts_each_unit_to_its_latent():
    random = np.random.default_rng(0)
    dense = np.maximum(random.normal(size=(1000, 30)), 0).astype(np.float32)
    latents = np.where(random.random((1000, 3)) < [0.02, 0.1, 0.3], 1.0, 0.0)
    target = sample_of(latents, latents)
    population = Population(
        "made", Model(), SITE, Rows(dense), Rows(dense), read=lambda x, unit: x[:, 0], directions=torch.eye(30)
    )
    matched = populations.at_density_of(population, target, 0)
    assert len(set(matched.index.tolist())) == 3
    for place in range(3):
        rows, values = matched.column("validation", place)
        assert len(rows) == (latents[:, place] > 0).sum()
        every = dense[:, matched.index[place]]
        assert values.min() > np.delete(every, rows).max()  # the largest are kept


def test_only_live_units_are_drawn():
    values = np.zeros((100, 4), np.float32)
    values[: populations.LIVE, 2] = 1
    values[: populations.LIVE - 1, 3] = 1
    population = Population(
        "made", Model(), SITE, Rows(values), Rows(values), read=lambda x, unit: x[:, 0], directions=torch.eye(4)
    )
    assert populations.draw(population, 4, 0).index.tolist() == [2]


def test_rotated_neurons_and_their_reader_agree():
    random = np.random.default_rng(0)
    x = {split: random.normal(size=(50, 3)).astype(np.float32) for split in ("validation", "test")}
    rotated = populations.rotated_neurons(Model(), SITE, SAE, x, 0)
    unit = np.tile(np.arange(3), 50)[:50]
    read = rotated.read(torch.from_numpy(x["test"]), torch.from_numpy(unit)).numpy()
    assert read == pytest.approx(rotated.test.values[np.arange(50), unit], abs=1e-5)
    assert (rotated.directions @ rotated.directions.T).numpy() == pytest.approx(np.eye(3), abs=1e-5)


def test_random_latents_have_the_wanted_number_per_token():
    x = {split: np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) for split in ("validation", "test")}
    made = populations.random_latents(Model(), SITE, SAE, x, 2, 0)
    assert made.test.fired().sum() <= 80 and made.test.fired().sum() > 60
    rows, values = made.test.column(int(made.test.fired().argmax()))
    unit = torch.full((len(rows),), int(made.test.fired().argmax()))
    assert made.read(torch.from_numpy(x["test"][rows]), unit).numpy() == pytest.approx(values, abs=1e-5)


def test_no_unit_of_a_population_fires_above_the_norm_limit():
    x = {split: np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) for split in ("validation", "test")}
    ordinary = {split: values.copy() for split, values in x.items()}
    for values in x.values():
        values[5] *= 1000
    sae = replace(SAE, norm_limit=100.0)
    made = {
        "neurons": (populations.neurons(Model(), SITE, each, rows) for each, rows in ((sae, x), (SAE, ordinary))),
        "rotated": (populations.rotated_neurons(Model(), SITE, sae, rows, 0) for rows in (x, x)),
        "random": (populations.random_latents(Model(), SITE, sae, rows, 2, 0) for rows in (x, x)),
    }
    for name, (population, plain) in made.items():
        fired = {split: [row for unit in range(3) for row in getattr(population, split).column(unit)[0]] for split in x}
        assert 5 not in fired["validation"] + fired["test"] and len(fired["test"]) > 10, name
        assert not population.read(torch.from_numpy(x["test"][[5] * 3]), torch.arange(3)).any(), name
        ordinary_rows = np.arange(40) != 5
        if name == "neurons":
            assert np.array_equal(population.test.values[ordinary_rows], plain.test.values[ordinary_rows])
    about = x["validation"][np.arange(40) != 5].mean(0)  # the mean that rotation and random dictionary are about
    rotated = populations.rotated_neurons(Model(), SITE, sae, x, 0)
    assert rotated.test.values[0] == pytest.approx(
        np.maximum((x["test"][0] - about) @ rotated.directions.numpy().T, 0), abs=1e-5
    )


@pytest.mark.parametrize("positive, negative, share", [([3, 2], [1, 0], 1), ([1, 0], [3, 2], 0), ([1, 1], [1, 1], 0.5)])
def test_the_logit_test_by_hand(positive, negative, share):
    assert logit_test.accuracy(np.array(positive, float), np.array(negative, float)) == share


def test_the_logit_test_passes_for_one_topic_and_is_chance_for_none():
    random = np.random.default_rng(0)
    vocab = 2000
    topic = np.zeros((vocab, 20))
    topic[np.arange(vocab), random.integers(1, 20, vocab)] = 1
    topic[:80] = np.eye(20)[0]
    vectors = TokenVectors(topic, np.ones(vocab, bool))
    about = np.where(np.arange(vocab) < 80, 1.0, 0.0) + random.normal(size=vocab) / 100
    assert logit_test.score(about, vectors, random) > 0.95
    nothing = [logit_test.score(random.normal(size=vocab), vectors, random) for _ in range(100)]
    assert np.mean(nothing) == pytest.approx(0.5, abs=0.03)


def test_tokens_of_the_same_neighbours_are_near():
    random = np.random.default_rng(0)
    middle = random.integers(20, 40, 30_000)
    frame = np.where(random.random(30_000) < 0.5, 1, 2)
    tokens = np.stack([frame * 2 - 1, np.where(frame == 1, middle % 10 + 10, middle % 10 + 25), frame * 2], 1).ravel()
    vectors = token_vectors(tokens, 40, 0, 0)
    assert set(vectors.nearest(12, 5)) <= set(range(10, 20))
    assert not vectors.usual[0] and not vectors.unit[0].any()


def test_similarities_of_one_kind_are_told_apart():
    references, mean = np.array([[1.0, 0.0]]), np.zeros(2)
    similarity = example_embedding.similarity(references, np.array([[2.0, 0.1], [0.0, 1.0]]), mean)
    assert example_embedding.score(similarity, [1]) == [1]
    assert example_embedding.score(similarity[::-1].copy(), [1]) == [0]
    assert example_embedding.score(np.array([3.0, 1, 2, 2, 1]), [1, 0, 2]) == [1, None, (0 + 0.5 + 0.5 + 1) / 4]


def test_units_of_a_single_token_are_apart(capture):
    rows, values = np.arange(scoring.TOP), np.ones(scoring.TOP)
    assert scoring.is_single_token(rows, values, np.zeros(30, int)) is True
    assert scoring.is_single_token(rows, values, np.arange(30) // 19) is False
    assert scoring.is_single_token(rows[1:], values[1:], np.zeros(30, int)) is None
    assert all(unit["single_token"] == 1 and unit["n2g_pearson_others"] is None for unit in scores()[1])
    either = np.stack([1.0 * np.isin(text(seed), (5, 9)) for seed in (0, 1)])
    sample = sample_of(either[0][:, None], either[1][:, None], index=(0,))
    unit, _ = scoring.score_unit(sample, 0, Node({5: Node(total=1.0, patterns=1)}), None, material())
    assert unit["single_token"] == 0 and unit["n2g_pearson_others"] == unit["n2g_pearson"] > 0.5


def test_intervals_are_even_and_the_last_is_open():
    assert scoring.interval_of(np.array([0.01, 1.0, 10.9, 11.0, 50.0]), 11.0).tolist() == [0, 1, 10, 10, 10]


def test_paired_and_unpaired_differences():
    ours, other = np.arange(20.0), np.append(np.arange(19.0) - 1, np.nan)
    paired = summary.difference(ours, other, True, 200, 0)
    assert paired.n == 19 and paired.value == 1 and paired.low == paired.high == 1 and paired.p_value < 1e-3
    same = summary.difference(ours, ours.copy(), False, 200, 0)
    assert same.value == 0 and same.low < 0 < same.high and same.p_value > 0.9
    assert summary.difference(ours, ours.copy(), True, 200, 0).p_value is None
