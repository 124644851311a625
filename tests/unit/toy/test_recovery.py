import numpy as np
import pytest
import torch

from scripts.monosem.core.declaration import from_params
from scripts.monosem.metrics import matching
from scripts.monosem.toy import baseline_dictionaries, data, dictionary_scores, ground_truth, train_sae
from scripts.monosem.toy.experiments import recovery
from scripts.monosem.toy.settings import RecoveryConfig, SparseFeatures
from scripts.monosem.toy.theory import superposition
from scripts.monosem.workflow.checks import toy

P, N, M = 0.05, 9, 5
SAE = {"vectors": 76_800, "batch_size": 256, "learning_rate": 0.02, "warmup_steps": 10}
GRIDS = {
    "relu": {"values": [0.3, 1.0, 4.0], "widths": [9, 18], "headline": {"value": 1.0, "width": 18}},
    "topk": {"values": [1, 2], "widths": [18], "headline": {"value": 1, "width": 18}, "sae": {"aux_k": 8}},
}
CONFIG = from_params(
    RecoveryConfig,
    {"truth": {}, "vectors": 1, "held_out": 1, "sae": SAE, "grids": GRIDS, "design": "cross", "n_seeds": 3,
     "ica_iterations": 50},
)  # fmt: skip


def features(n_samples, seed):
    return data.sample(torch.full((1, N), P), n_samples, torch.Generator().manual_seed(seed))[0]


@pytest.fixture(scope="module")
def truth():
    """Nine directions in five dimensions: a pentagon and, orthogonal to it, a tetrahedron, rotated at random."""
    directions = np.zeros((M, N))
    directions[:2, :5], directions[2:, 5:] = superposition.polytope("pentagon"), superposition.polytope("tetrahedron")
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((M, M)))[0]
    return torch.tensor((rotation @ directions).T, dtype=torch.float32)


@pytest.mark.parametrize("architecture", GRIDS)
def test_sae_recovers_the_directions_from_activations_alone(truth, architecture):
    read = train_sae.Vectors(features(60_000, 1) @ truth)
    cell = next(cell for cell in recovery.cells(CONFIG) if cell.seeds == 3 and cell.architecture == architecture)
    graded = recovery.train_and_grade(truth, read, features(5_000, 2), cell, 0, 3)
    assert graded.cosines.shape == (N, cell.width)
    assert graded.numbers["mmcs"] > 0.95
    assert graded.numbers["matched_share"] >= 0.9
    assert graded.numbers["mean_pair_correlation"] > 0.8


def test_controls_miss_the_bar(truth):
    rows = (features(5_000, 4) @ truth).numpy()
    numbers, _ = recovery.controls(truth.numpy(), rows, CONFIG, 0)
    for entry in (*numbers["random_dictionary"], *(numbers[name] for name in ("raw_basis", "pca", "ica"))):
        assert entry["mmcs"] < recovery.BAR_MMCS and entry["matched_share"] < recovery.BAR_MATCHED
    random = np.mean([entry["mmcs"] for entry in numbers["random_dictionary"]])
    assert random == pytest.approx(numbers["chance_mmcs"], abs=0.05)


def test_without_superposition_independent_components_are_the_features():
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((M, M)))[0]
    found, converged = baseline_dictionaries.independent_components(
        features(20_000, 5)[:, :M].numpy() @ rotation, 0, 200
    )
    assert converged and matching.mmcs(matching.cosine_matrix(rotation, found)) > 0.99


def test_cross_design_has_every_seed_at_the_headline_only():
    cells = [(cell.value, cell.width, cell.seeds) for cell in recovery.cells(CONFIG) if cell.architecture == "relu"]
    assert cells == [(0.3, 18, 1), (1.0, 9, 1), (1.0, 18, 3), (4.0, 18, 1)]


def sparse_features(**changed):
    settings = {"n": 40, "d": 20, "active": 4.0, "decay": 0.95, "correlation": 0.6, "factors": 2, **changed}
    return ground_truth.sparse_features(SparseFeatures(**settings), 0)


def test_correlation_leaves_probabilities_and_strengths():
    source = sparse_features()
    x = source.values(100_000, 0)
    on = x > 0
    assert source.probability.sum().item() == pytest.approx(4.0)
    assert (source.probability[1:] / source.probability[:-1]).numpy() == pytest.approx(0.95)
    assert on.float().mean(0).numpy() == pytest.approx(source.probability.numpy(), rel=0.1)
    strengths = x[on]
    assert [strengths.mean().item(), strengths.var().item()] == pytest.approx([1 / 2, 1 / 12], rel=0.02)


@pytest.mark.parametrize(("correlation", "together"), [(0.0, False), (0.6, True)])
def test_common_factors_correlate_features(correlation, together):
    on = (sparse_features(correlation=correlation).values(50_000, 1)[:, :8] > 0).double()
    largest = (np.corrcoef(on.numpy().T) - np.eye(8)).max()
    assert (largest > 0.2) == together


def test_activations_are_sums_of_directions():
    source = sparse_features()
    assert torch.equal(source.activations(500, 3), source.values(500, 3) @ source.directions)


def test_the_next_larger_dictionary_is_compared_within_one_sparsity():
    def entry(width, value, decoder):
        numbers = {"architecture": "relu", "value": value, "d_sae": width, "mmcs": 0.5, "matched_share": 0.5}
        return recovery.Recovery(numbers, np.zeros((1, len(decoder))), decoder)

    basis = np.eye(3)
    found = recovery.to_next_larger([entry(2, 1.0, basis[:2]), entry(3, 1.0, basis), entry(3, 2.0, -basis)])
    assert [(row["d_sae"], row["next_d_sae"], row["mmcs_to_next"]) for row in found] == [(2, 3, 1.0)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"grids": {"relu": {**GRIDS["relu"], "headline": {"value": 2.0, "width": 18}}}}, "headline.value: expected"),
        ({"grids": {"topk": {**GRIDS["topk"], "values": [1, 40]}}}, "as k counts latents, found 40"),
        ({"grids": {"topk": {**GRIDS["topk"], "values": [1, 1.5]}}}, "as k counts latents, found 1.5"),
        ({"grids": {"relu": None, "topk": None}}, "at least one architecture, found none"),
        ({"sae": {}}, "grids.relu.sae.vectors is missing"),
        ({"truth": {"sparse_features": {"n": 8, "d": 8, "active": 2, "decay": 0.9}}}, "more features than the d = 8"),
        ({"truth": {"sparse_features": {"n": 9, "d": 8, "active": 9, "decay": 1.0}}}, "the first feature is always on"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_before_anything_runs(change, sentence):
    settings = {"kind": "recovery", "truth": {}, "sae": SAE, "grids": GRIDS, **change}
    assert sentence in next(toy.problems("recovery", settings))


def test_duplicates_are_latents_beyond_the_matched_one():
    dictionary = np.concatenate([np.eye(4), np.eye(4)[:2], -np.eye(4)])
    assert dictionary_scores.n_duplicates(matching.cosine_matrix(np.eye(4), dictionary)) == 2


def test_pair_correlation_is_1_for_a_scaled_copy_and_0_for_a_silent_latent():
    truth = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    latents = torch.stack([torch.zeros(100), 3 * truth[:, 0]], dim=1)
    pairs = matching.Matching(np.array([0, 1]), np.array([1, 0]), np.ones(2))
    assert dictionary_scores.pair_correlations(truth, latents, pairs) == pytest.approx([1.0, 0.0])


def test_one_bad_seed_takes_a_setting_out_of_the_band():
    good = {"architecture": "topk", "value": 2, "d_sae": 18, "mmcs": 0.99, "matched_share": 1.0, "l0": 2.0,
            "explained_variance": 0.9, "n_silent": 0, "n_duplicates": 0}  # fmt: skip
    assert recovery.summarise([good, good], 2.0, 18)[0]["in_band"]
    assert not recovery.summarise([good, {**good, "matched_share": 0.8}], 2.0, 18)[0]["in_band"]


def test_l0_far_from_the_truth_fails_its_rule():
    entry = {"mmcs": 0.5, "matched_share": 0.0}
    control = {"random_dictionary": [entry], **{name: entry for name in ("raw_basis", "pca", "ica")}}
    run = {"architecture": "relu", "value": 1.0, "d_sae": 18, "mmcs": 0.99, "matched_share": 1.0,
           "explained_variance": 0.9, "n_silent": 0, "n_duplicates": 0}  # fmt: skip
    grids = {"relu": CONFIG.grids["relu"]}
    verdicts = [
        recovery.accept(recovery.summarise([{**run, "l0": l0}], 2.0, 18), grids, control)["relu_l0_over_true"].passed
        for l0 in (1.5, 1.7, 2.3, 5.0)
    ]
    assert verdicts == [False, True, True, False]


def test_latents_that_repeat_others_fail_their_rule():
    entry = {"mmcs": 0.5, "matched_share": 0.0}
    control = {"random_dictionary": [entry], **{name: entry for name in ("raw_basis", "pca", "ica")}}
    run = {"architecture": "relu", "value": 1.0, "d_sae": 18, "mmcs": 0.99, "matched_share": 1.0, "l0": 2.0,
           "explained_variance": 0.9, "n_silent": 0}  # fmt: skip
    grids = {"relu": CONFIG.grids["relu"]}
    for duplicates, passed in ((1, True), (9, False)):
        summary = recovery.summarise([{**run, "n_duplicates": duplicates}], 2.0, 18)
        rules = recovery.accept(summary, grids, control)
        assert rules["relu_duplicates"].passed is passed and rules["relu_doubled_duplicates"].passed
