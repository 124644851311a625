import numpy as np
import pytest
import torch

from scripts.monosem import matching
from scripts.monosem.toy import models, theory
from scripts.monosem.toy.experiments import recovery

P, N, M = 0.05, 9, 5
SAE = {"d_sae": 18, "vectors": 76_800, "batch_size": 256, "learning_rate": 0.02, "warmup_steps": 10, "aux_k": 8}


@pytest.fixture(scope="module")
def truth():
    """Nine directions in five dimensions: a pentagon and, orthogonal to it, a tetrahedron, rotated at random."""
    directions = np.zeros((M, N))
    directions[:2, :5], directions[2:, 5:] = theory.polytope("pentagon"), theory.polytope("tetrahedron")
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((M, M)))[0]
    return torch.tensor(rotation @ directions, dtype=torch.float32)


@pytest.mark.parametrize("setting", [{"architecture": "topk", "k": 1}, {"architecture": "relu", "l1_coefficient": 1.0}])
def test_sae_recovers_the_columns_of_w_from_activations_alone(truth, setting):
    read = recovery.Vectors(models.hidden(truth, recovery.features(P, N, 60_000, 1)))
    graded = recovery.train_and_grade(truth, read, recovery.features(P, N, 5_000, 2), {**SAE, **setting}, 0, 3)
    assert graded.cosines.shape == (N, SAE["d_sae"])
    assert graded.numbers["mmcs"] > 0.95
    assert graded.numbers["matched_share"] >= 0.9
    assert graded.numbers["mean_pair_correlation"] > 0.8


def test_controls_miss_the_bar(truth):
    numbers, _ = recovery.controls(truth, SAE["d_sae"], 3, 0)
    for entry in (*numbers["random_dictionary"], numbers["raw_basis"]):
        assert entry["mmcs"] < recovery.BAR_MMCS and entry["matched_share"] < recovery.BAR_MATCHED
    random = np.mean([entry["mmcs"] for entry in numbers["random_dictionary"]])
    assert random == pytest.approx(numbers["chance_mmcs"], abs=0.05)


def test_features_have_the_stated_density_and_mean():
    x = recovery.features(P, N, 50_000, 0)
    assert (x > 0).float().mean().item() == pytest.approx(P, rel=0.05)
    assert x.mean().item() == pytest.approx(theory.feature_mean(P), rel=0.05)


def test_duplicates_are_latents_beyond_the_matched_one():
    dictionary = np.concatenate([np.eye(4), np.eye(4)[:2], -np.eye(4)])
    assert recovery.n_duplicates(matching.cosine_matrix(np.eye(4), dictionary)) == 2


def test_correlation_of_pairs_is_one_for_a_scaled_copy_and_zero_for_silence():
    truth = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    latents = torch.stack([torch.zeros(100), 3 * truth[:, 0]], dim=1)
    pairs = matching.Matching(np.array([0, 1]), np.array([1, 0]), np.ones(2))
    assert recovery.pair_correlations(truth, latents, pairs) == pytest.approx([1.0, 0.0])


def test_one_bad_seed_takes_a_setting_out_of_the_band():
    good = {"architecture": "topk", "l1_coefficient": None, "k": 2, "mmcs": 0.99, "matched_share": 1.0, "l0": 2.0,
            "explained_variance": 0.9}  # fmt: skip
    assert recovery.summarise([good, good], 2.0)[0]["in_band"]
    assert not recovery.summarise([good, {**good, "matched_share": 0.8}], 2.0)[0]["in_band"]


def test_too_many_active_latents_fail_their_rule_even_when_every_feature_is_matched():
    entry = {"mmcs": 0.5, "matched_share": 0.0}
    control = {"random_dictionary": [entry], "raw_basis": entry}
    run = {"architecture": "relu", "l1_coefficient": 1.0, "k": None, "mmcs": 0.99, "matched_share": 1.0,
           "explained_variance": 0.9}  # fmt: skip
    verdicts = [
        recovery.accept(recovery.summarise([{**run, "l0": l0}], 2.0), control)["relu_l0_over_true"]["pass"]
        for l0 in (1.5, 1.7, 2.3, 5.0)
    ]
    assert verdicts == [False, True, True, False]
