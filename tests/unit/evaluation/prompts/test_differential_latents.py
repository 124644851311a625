"""Latents that tell sets of prompts apart: planted ones are found and confirmed, none in shuffled labels."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import mannwhitneyu

from scripts.monosem.evaluation.prompts import differential_latents, prompt_sets

PROMPTS, LATENTS = 20, 300
SETS = ("happy", "angry", "neutral")


def half(rng, planted: int, strength: float) -> differential_latents.Half:
    """The first `planted` latents are on for the set, the last ten for everything."""
    label = np.repeat([True, False], PROMPTS)
    values = rng.exponential(size=(2 * PROMPTS, LATENTS)) * (rng.random((2 * PROMPTS, LATENTS)) < 0.3)
    values[:, :planted] += strength * label[:, None]
    values[:, -10:] = 5 + rng.random((2 * PROMPTS, 10))
    return differential_latents.Half(values / 3, values, label)


def test_the_test_is_scipys_with_ties():
    rng = np.random.default_rng(0)
    values, label = rng.integers(0, 4, (24, 6)).astype(float), np.arange(24) < 10
    values[:, 5] = 1
    z = differential_latents.Ranks.of(values).z(label)
    expected = mannwhitneyu(values[label], values[~label], method="asymptotic", axis=0)
    from scipy.stats import norm

    assert 2 * norm.sf(np.abs(z[:5])) == pytest.approx(expected.pvalue[:5])
    assert z[5] == 0
    many = np.stack([label, ~label])
    assert differential_latents.Ranks.of(values).z(many) == pytest.approx(np.stack([z, -z]))


def test_planted_latents_are_found_confirmed_and_ranked_first():
    rng = np.random.default_rng(1)
    found, masks = differential_latents.compare_with_baseline(half(rng, 5, 3.0), half(rng, 5, 3.0), 0.9, 0.05, 50, 0)
    assert found.n_always_on == 10 and masks["always_on"][-10:].all()
    for pooling in differential_latents.POOLINGS:
        row = found.poolings[pooling]
        assert np.flatnonzero(masks[f"confirmed.{pooling}"])[:5].tolist() == [0, 1, 2, 3, 4]
        assert row.n_confirmed <= 6 and row.top_auc > 0.7
        assert row.shuffled.median_confirmed == 0 and row.shuffled.share_with_confirmation <= 0.1
    assert sorted(row.latent for row in found.ranking[:5]) == [0, 1, 2, 3, 4]


def test_the_best_of_many_correlates_by_chance_alone():
    """A ranking by correlation always has a top; on the second half nothing of it is left."""
    rng = np.random.default_rng(5)
    found, _ = differential_latents.compare_with_baseline(half(rng, 0, 0.0), half(rng, 0, 0.0), 0.9, 0.05, 50, 0)
    assert found.top_mean_correlation > 0.25
    assert found.top_mean_correlation == pytest.approx(found.top_mean_correlation_shuffled, abs=0.08)
    assert found.poolings["mean"].top_auc == pytest.approx(0.5, abs=0.12)


def test_nothing_is_found_where_there_is_nothing():
    rng = np.random.default_rng(2)
    found, _ = differential_latents.compare_with_baseline(half(rng, 0, 0.0), half(rng, 0, 0.0), 0.9, 0.05, 20, 0)
    assert all(row.n_confirmed == 0 for row in found.poolings.values())


def test_a_latent_that_separates_the_first_half_alone_is_not_confirmed():
    rng = np.random.default_rng(3)
    found, _ = differential_latents.compare_with_baseline(half(rng, 5, 3.0), half(rng, 0, 0.0), 0.9, 0.05, 5, 0)
    assert all(row.n_discovered >= 5 and row.n_confirmed <= 1 for row in found.poolings.values())


def test_labels_play_no_part_in_the_filter():
    rng = np.random.default_rng(4)
    one = half(rng, 5, 3.0)
    other = differential_latents.Half(one.mean, one.max, rng.permutation(one.label))
    for a, b in zip(
        differential_latents.filter_latents(one, 0.9), differential_latents.filter_latents(other, 0.9), strict=True
    ):
        assert (a == b).all()


def test_lines_of_one_build_fall_into_one_half():
    assert (prompt_sets.halves(40, 7) == prompt_sets.halves(40, 7)).all()
    assert prompt_sets.halves(40, 7).sum() == 20 and prompt_sets.halves(41, 7).sum() == 20


@pytest.fixture(scope="module")
def shipped():
    return {name: yaml.safe_load(Path(f"paper/prompts/{name}.yaml").read_text(encoding="utf-8")) for name in SETS}


def test_shipped_sets_are_long_enough_and_match_line_by_line(shipped):
    assert all(len(lines) >= 40 and len(set(lines)) == len(lines) for lines in shipped.values())
    lengths = np.array([[len(text.split()) for text in shipped[name]] for name in SETS])
    assert np.ptp(lengths, axis=0).max() <= 2 and np.ptp(lengths.mean(1)) < 0.2


def test_the_fourth_set_is_as_long(shipped):
    lines = yaml.safe_load(Path("paper/prompts/documentation.yaml").read_text(encoding="utf-8"))
    assert len(set(lines)) >= 40
    usual = np.mean([len(text.split()) for text in shipped["neutral"]])
    assert np.mean([len(text.split()) for text in lines]) == pytest.approx(usual, abs=1.5)


def test_shipped_prompts_are_no_template_with_a_word_exchanged(shipped):
    for one, two in (("happy", "neutral"), ("angry", "neutral"), ("happy", "angry")):
        for a, b in zip(shipped[one], shipped[two], strict=True):
            assert len(set(a.lower().split()) - set(b.lower().split())) >= 4, (a, b)
