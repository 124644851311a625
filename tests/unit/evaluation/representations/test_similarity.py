"""Similarity of tokens and words: planted structure is found with its size, and nothing where there is none."""

import numpy as np
import pytest

from scripts.monosem.evaluation.representations import similarity, token_statistics, words
from scripts.monosem.evaluation.representations.site_activations import SiteActivations

SITE, WINDOWS, CONTEXT, WIDTH, TYPES = "blocks.0.hook_resid_pre", 40, 24, 48, 60


def made(rng, shared=0.0, token=0.0, window=0.0, place=0.0, noise=1.0) -> SiteActivations:
    """Vectors that are sums of independent directions for everything, the token, the window and the place."""
    tokens = rng.integers(1, TYPES, (WINDOWS, CONTEXT))
    scale = 1 / np.sqrt(WIDTH)
    parts = {
        "shared": shared * scale * rng.normal(size=WIDTH),
        "token": token * scale * rng.normal(size=(TYPES, WIDTH))[tokens],
        "window": window * scale * rng.normal(size=(WINDOWS, 1, WIDTH)),
        "place": place * scale * rng.normal(size=(1, CONTEXT, WIDTH)),
        "noise": noise * scale * rng.normal(size=(WINDOWS, CONTEXT, WIDTH)),
    }
    kept = np.ones(tokens.shape, bool)
    kept[:, 0] = False
    return SiteActivations(tokens, kept, {SITE: sum(parts.values()).astype(np.float32)})


@pytest.mark.parametrize(
    ("kind", "part"), [("same_token", "token"), ("same_context", "window"), ("same_position", "place")]
)
def test_each_kind_of_similarity_finds_its_own_part_and_no_other(kind, part):
    found = similarity.by_layer(made(np.random.default_rng(1), **{part: 1.0}), [SITE], 0)[SITE]
    assert found[kind] == pytest.approx(0.5, abs=0.06)  # 1 of the 2 units of variance
    for other in {"same_token", "same_context", "same_position"} - {kind}:
        assert abs(found[other]) < 0.06
    assert all(abs(found["permuted"][name]) < 0.06 for name in ("same_token", "same_context", "same_position"))


def test_a_common_direction_is_anisotropy_and_no_similarity():
    found = similarity.by_layer(made(np.random.default_rng(2), shared=2.0), [SITE], 0)[SITE]
    assert found["anisotropy"] == pytest.approx(0.8, abs=0.1)
    assert all(abs(found[name]) < 0.03 for name in ("same_token", "same_context", "same_position"))
    assert found["same_token_low"] < found["same_token"] < found["same_token_high"]


def test_no_pair_is_of_one_row_or_of_the_wrong_kind():
    rng, activations = np.random.default_rng(3), made(np.random.default_rng(3))
    window, token, place = activations.window_of_row(), activations.token_of_row(), np.nonzero(activations.kept)[1]
    pairs = {kind: both for kind, (both, _) in similarity.draw_pairs(rng, window, place, token).items()}
    assert all(both.shape[1] > 100 and (both[0] != both[1]).all() for both in pairs.values())
    a, b = pairs["same_context"]
    assert (window[a] == window[b]).all() and (token[a] != token[b]).all()
    a, b = pairs["same_position"]
    assert (place[a] == place[b]).all() and (token[a] != token[b]).all()
    a, b = pairs["same_token"]
    assert (token[a] == token[b]).all() and (window[a] != window[b]).all()
    a, b = pairs["anisotropy"]
    assert (window[a] != window[b]).all() and (token[a] != token[b]).all()


def test_the_position_is_read_off_where_it_is_and_only_there():
    rng = np.random.default_rng(4)
    with_place, without = made(rng, place=3.0, noise=0.3), made(rng)
    found, predicted = similarity.position(with_place, SITE, 0)
    assert found["position_r2"] > 0.9 and found["position_r2_permuted"] < 0.2
    assert np.isnan(predicted[0]) and np.corrcoef(predicted[1:], np.arange(1, CONTEXT))[0, 1] > 0.95
    assert similarity.position(without, SITE, 0)[0]["position_r2"] < 0.1


def test_similarity_by_position_is_the_mean_over_all_pairs_of_windows():
    activations = made(np.random.default_rng(5), place=1.0)
    x = activations.by_site[SITE][:, 7].astype(np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = (unit @ unit.T)[~np.eye(WINDOWS, dtype=bool)].mean()
    assert similarity.similarity_by_position(activations, SITE)[7] == pytest.approx(expected)


def test_a_large_first_token_is_seen():
    activations = made(np.random.default_rng(6))
    activations.by_site[SITE][:, 0] *= 30
    found = token_statistics.first_token(activations, SITE)
    assert found["first_norm_over_median"] == pytest.approx(30, rel=0.1)
    assert found["second_norm_over_median"] == pytest.approx(1, rel=0.1)
    assert similarity.norms_by_position(activations, SITE)[0] > 20


def vocabulary(sizes, counts=None) -> words.Vocabulary:
    n = sum(sizes)
    groups = np.split(np.arange(n), np.cumsum(sizes)[:-1])
    return words.Vocabulary(
        [str(i) for i in range(n)], np.arange(n), groups, np.arange(n) if counts is None else counts
    )


def test_group_means_by_hand():
    cosines = np.array([[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1.0]])
    assert words.group_means(cosines, np.array([[0, 0, 0]]), np.array([3])) == pytest.approx([0.3])
    cosines = np.kron(np.eye(2), np.ones((2, 2)))
    assert words.group_means(cosines, np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), np.array([2, 2])).tolist() == [1, 0]


def test_permuted_groups_keep_sizes_and_frequencies():
    rng, group = np.random.default_rng(0), np.repeat(np.arange(10), 3)
    counts = rng.permutation(30)
    permuted = words.permute_groups(group, counts, rng, 500)
    assert (np.sort(permuted, axis=1) == group).all()
    stratum = np.argsort(np.argsort(counts)) // words.STRATUM
    for number in range(5):
        inside = stratum == number
        assert (np.sort(permuted[:, inside], axis=1) == np.sort(group[inside])).all()
    assert (permuted != group).any()


def test_similar_words_differ_from_permuted_groups():
    rng = np.random.default_rng(1)
    vocab = vocabulary([2] * 15, rng.permutation(30))
    x = np.repeat(rng.normal(size=(15, 20)), 2, axis=0) + rng.normal(size=(30, 20)) + 3
    found = words.compare(x, vocab, 0)
    assert found["p"] == pytest.approx(1 / (1 + words.PERMUTATIONS)) and found["difference"] > 0.02
    nothing = [words.compare(rng.normal(size=(30, 20)), vocab, seed)["p"] for seed in range(8)]
    assert np.mean(nothing) > 0.2
