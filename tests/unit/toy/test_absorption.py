import numpy as np
import pytest
import torch
import yaml

from scripts.monosem.core.declaration import from_params
from scripts.monosem.toy.acceptance import Rule
from scripts.monosem.toy.experiments import absorption
from scripts.monosem.toy.settings import AbsorptionConfig
from scripts.monosem.workflow.checks import toy

SETTINGS = yaml.safe_load(open("config/toy.yaml"))["toy"]["absorption"]
CONFIG = from_params(AbsorptionConfig, {key: value for key, value in SETTINGS.items() if key != "kind"})


def sample(hierarchy, n_samples=20_000):
    return absorption.sample(CONFIG, n_samples, hierarchy, torch.Generator().manual_seed(0)).numpy()


def test_children_are_on_only_with_their_parent_and_one_at_a_time():
    x = sample(True) > 0
    children = x[:, CONFIG.parents :].reshape(-1, CONFIG.parents, CONFIG.children)
    assert children.sum(-1).max() == 1
    assert not (children.any(-1) & ~x[:, : CONFIG.parents]).any()


def test_the_control_has_the_same_frequencies_without_the_hierarchy():
    hierarchy, independent = ((sample(which) > 0).mean(0) for which in (True, False))
    assert independent == pytest.approx(hierarchy, abs=0.02)
    x = sample(False) > 0
    assert np.corrcoef(x[:, 0], x[:, CONFIG.parents])[0, 1] == pytest.approx(0.0, abs=0.03)


def test_absorption_is_0_for_a_perfect_and_1_for_an_absorbing_dictionary():
    x, n = sample(True), CONFIG.n
    perfect = absorption.absorption(x, x, np.eye(n), CONFIG.parents)
    assert perfect == pytest.approx({"absorption": 0, "silent_with_child": 0, "silent_alone": 0,
                                     "child_leans_on_parent": 0})  # fmt: skip
    latents, cosines = x.copy(), np.eye(n)
    for parent in range(CONFIG.parents):
        for child in range(CONFIG.parents + 2 * parent, CONFIG.parents + 2 * parent + 2):
            latents[x[:, child] > 0, parent] = 0.0
            cosines[[parent, child], child] = 0.5**0.5
    found = absorption.absorption(x, latents, cosines, CONFIG.parents)
    assert found == pytest.approx({"absorption": 1, "silent_with_child": 1, "silent_alone": 0,
                                   "child_leans_on_parent": 0.5**0.5})  # fmt: skip


def test_half_of_the_activation_is_half_absorbed():
    x = sample(True)
    has_child = (x[:, CONFIG.parents :].reshape(-1, CONFIG.parents, CONFIG.children) > 0).any(-1)
    latents = x.copy()
    latents[:, : CONFIG.parents] *= np.where(has_child, 0.5, 1.0)
    found = absorption.absorption(x, latents, np.eye(CONFIG.n), CONFIG.parents)
    assert found["absorption"] == pytest.approx(0.5) and found["silent_with_child"] == 0


def test_absorption_is_minus_1_for_a_latent_that_needs_a_child():
    x = sample(True)
    has_child = (x[:, CONFIG.parents :].reshape(-1, CONFIG.parents, CONFIG.children) > 0).any(-1)
    latents = x.copy()
    latents[:, : CONFIG.parents] *= has_child
    assert absorption.absorption(x, latents, np.eye(CONFIG.n), CONFIG.parents)["absorption"] == pytest.approx(-1)
    silent = absorption.absorption(x, np.zeros_like(x), np.eye(CONFIG.n), CONFIG.parents)
    assert silent["absorption"] == 0 and silent["silent_alone"] == 1


def test_nested_dictionary_must_absorb_little_on_every_seed():
    runs = [
        {"name": name, "data": data, "absorption": value}
        for name, hierarchy in (("plain", [0.6, 0.9]), ("nested", [-0.1, 0.55]))
        for data, values in (("hierarchy", hierarchy), ("independent", [0.1, 0.0]))
        for value in values
    ]
    rules = absorption.grade(runs, {"plain": False, "nested": True})
    assert rules["plain_absorbs"] == Rule(0.6, 0.5, True)
    assert rules["nested_keeps_the_parent"] == Rule(0.55, 0.5, False)
    assert rules["nested_independent_does_not"].passed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"d": 23}, "toy.absorption.d: expected at least parents x (1 + children) = 24, found 23"),
        ({"architectures": {"mine": {"architecture": "topk"}}}, "architectures.mine.k is missing"),
        ({"architectures": {"mine": {"architecture": "topk", "k": 30}}}, "expected at most 24 latents, found 30"),
        (
            {"architectures": {"mine": {"architecture": "matryoshka_batchtopk", "k": 2, "prefixes": [8, 25]}}},
            "architectures.mine: SAE run: prefixes: expected numbers that rise to d_sae = 24, found [8, 25]",
        ),
        ({"sae": {}}, "architectures.relu.vectors is missing"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_runs(change, sentence):
    assert sentence in next(toy.problems("absorption", {**SETTINGS, **change}))
