"""The whole of training on small data: order, schedule, resume, recovery of known features, and its refusals."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from scripts.monosem.core import artefacts
from scripts.monosem.sae import model
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import Resampling, SaeConfig, from_params
from scripts.monosem.sae.training import batches, checkpoint, diagnose, loop
from tests.helpers.sae_toys import Rows, sparse_mixtures

RELU = SaeConfig(
    "relu", 48, vectors=40 * 64, batch_size=64, l1_coefficient=4.0, warmup_steps=3, learning_rate=2e-2,
    precision="float32", resample=Resampling(at=(0.3, 0.6), window=0.025, inputs=500),
)  # fmt: skip
SHARED = {
    "d_sae": 48, "vectors": 40 * 64, "batch_size": 64, "warmup_steps": 3, "dead_after_vectors": 200,
    "learning_rate": 1e-3, "precision": "float32",
}  # fmt: skip
TOPK = SaeConfig("topk", k=3, aux_k=8, **SHARED)
SMALL = {
    "relu": RELU,
    "relu ablated": dataclasses.replace(RELU, pre_encoder_bias=False, tied_decoder=True, project_gradient=False),
    "relu_decoder_norm": SaeConfig("relu_decoder_norm", l1_coefficient=3.0, l1_warmup_share=0.3, **SHARED),
    "topk": TOPK,
    "batchtopk": dataclasses.replace(TOPK, architecture="batchtopk"),
    "matryoshka_batchtopk": dataclasses.replace(TOPK, architecture="matryoshka_batchtopk", prefixes=(4, 16, 48)),
    "jumprelu": SaeConfig("jumprelu", l0_coefficient=1.0, l0_warmup_share=0.5, bandwidth=0.2, **SHARED),
    "gated": SaeConfig("gated", l1_coefficient=2.0, **SHARED),
}


def run(folder, rows, config, every=1e9, **options):
    lines = []
    weights, summary = loop.train(
        rows,
        config,
        5,
        folder / "c" / "state",
        folder / "curve.jsonl",
        checkpoint_every_s=every,
        say=lines.append,
        **options,
    )
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return weights, summary, curve, lines


def without_time(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 50), epochs=st.integers(1, 3), seed=st.integers(0, 99))
def test_every_row_comes_once_per_epoch_and_skipping_changes_nothing(n, size, epochs, seed):
    count = -(-n * epochs // size)
    whole = list(batches.batches(n, size, seed, 0, count))
    flat = np.concatenate(whole)
    assert all(len(batch) == size for batch in whole)
    for epoch in range(epochs):
        assert sorted(flat[epoch * n : (epoch + 1) * n]) == list(range(n))
    rest = list(batches.batches(n, size, seed, count // 2, count))
    assert all(np.array_equal(a, b) for a, b in zip(rest, whole[count // 2 :], strict=True))


def test_epochs_and_seeds_have_orders_of_their_own():
    flat = np.concatenate(list(batches.batches(100, 50, 0, 0, 4)))
    assert not np.array_equal(flat[:100], flat[100:])
    assert not np.array_equal(flat[:100], np.concatenate(list(batches.batches(100, 50, 1, 0, 2))))


def test_learning_rate_rises_after_start_and_resampling_and_falls_at_the_end():
    config = dataclasses.replace(RELU, warmup_steps=4, rewarm_steps=3, decay_share=0.25, learning_rate=1.0)
    rates = [loop.learning_rate(config, step) for step in range(config.steps)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[11:16] == pytest.approx([1.0, 1 / 3, 2 / 3, 1.0, 1.0])  # resampled after step 12
    assert rates[30:] == pytest.approx([1 - i / 10 for i in range(10)])


@pytest.mark.parametrize("config", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("kill_at", [3, 14, 38])
def test_two_parts_equal_one_whole_bit_for_bit(tmp_path, config, kill_at):
    x, _ = sparse_mixtures(1500)
    whole_weights, whole, whole_curve, _ = run(tmp_path / "whole", Rows(x), config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Rows(x, fail_at=kill_at), config, every=0.0)
    (tmp_path / "parts" / "curve.jsonl").unlink()  # a workflow removes the outputs of a killed job
    weights, summary, curve, lines = run(tmp_path / "parts", Rows(x), config)
    assert "resuming" in lines[0]
    assert all(torch.equal(weights[name], whole_weights[name]) for name in weights)
    assert without_time(curve) == without_time(whole_curve)
    assert summary["resampled"] == whole["resampled"] and summary["dead_latents"] == whole["dead_latents"]
    assert not (tmp_path / "parts" / "c" / "state").exists()


@pytest.mark.parametrize("name", SMALL)
def test_the_runs_of_the_resume_test_have_something_to_resume(tmp_path, name):
    x, _ = sparse_mixtures(1500)
    weights, summary, curve, _ = run(tmp_path, Rows(x), SMALL[name])
    if SMALL[name].resample:
        assert [row["step"] for row in summary["resampled"]] == [12, 24]
        assert sum(row["latents"] for row in summary["resampled"]) > 0
    if SMALL[name].k:
        assert max(row["dead_share"] for row in curve) > 0
    assert (summary["inference_threshold_scaled"] is not None) == ("batchtopk" in name)
    assert ("threshold" in weights) == (ARCHITECTURES[SMALL[name].architecture].saved_as == "jumprelu")


def test_a_checkpoint_that_does_not_fit_is_ignored_with_a_sentence(tmp_path):
    x, _ = sparse_mixtures(1500)
    clean, *_ = run(tmp_path / "clean", Rows(x), TOPK)
    state = tmp_path / "c" / "state"
    for spoil, word in [
        (lambda b: b[: len(b) // 2], "not a whole"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "its bytes have changed"),
        (lambda b: b, "another configuration"),
    ]:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Rows(x, fail_at=9), TOPK, every=0.0, data_identity="other" if "another" in word else "")
        state.write_bytes(spoil(state.read_bytes()))
        weights, _, _, lines = run(tmp_path, Rows(x), TOPK)
        assert word in lines[0]
        assert torch.equal(weights["W_dec"], clean["W_dec"])


def mean_max_cosine(dictionary, truth):
    """Mean |cos| of the best one-to-one matching."""
    cosine = (truth @ (dictionary / dictionary.norm(dim=1, keepdim=True)).T).abs().numpy()
    return cosine[linear_sum_assignment(-cosine)].mean()


LONG = {"vectors": 200_000, "batch_size": 512, "learning_rate": 1e-2, "warmup_steps": 50, "precision": "float32"}
RECOVERING = {
    "relu": SaeConfig("relu", 16, l1_coefficient=0.5, **LONG),
    "relu_decoder_norm": SaeConfig("relu_decoder_norm", 16, l1_coefficient=0.5, l1_warmup_share=0.05, **LONG),
    "topk": SaeConfig("topk", 16, k=4, aux_k=8, **LONG),
    "batchtopk": SaeConfig("batchtopk", 16, k=4, aux_k=8, **LONG),
    "matryoshka_batchtopk": SaeConfig("matryoshka_batchtopk", 32, k=4, aux_k=8, prefixes=(16, 32), **LONG),
    "jumprelu": SaeConfig("jumprelu", 32, l0_coefficient=1.0, bandwidth=0.3, **LONG),
    "gated": SaeConfig("gated", 16, l1_coefficient=2.0, **LONG),
}


@pytest.mark.parametrize("config", RECOVERING.values(), ids=RECOVERING)
def test_known_features_are_recovered_and_a_random_dictionary_fails(tmp_path, config):
    x, truth = sparse_mixtures(20_000)
    weights, summary, curve, _ = run(tmp_path, Rows(x), config)
    assert mean_max_cosine(weights["W_dec"], truth) > 0.95
    assert summary["epochs"] == pytest.approx(10, rel=0.01)
    random = torch.randn(config.d_sae, 32, generator=torch.Generator().manual_seed(9))
    assert mean_max_cosine(random, truth) < 0.5
    cfg = {"architecture": ARCHITECTURES[config.architecture].saved_as, "k": config.k}
    sae = model.from_tensors(cfg, weights)
    f = model.encode(sae, x)
    error = (model.decode(sae, f) - x).square().sum() / (x - x.mean(0)).square().sum()
    final = curve[-1]
    assert 1 - error == pytest.approx(final["explained_variance"], abs=0.02)
    assert (f > 0).float().sum(1).mean() == pytest.approx(final["l0"], rel=0.05)


def test_summary_and_curve_are_in_units_of_the_raw_data(tmp_path):
    x, _ = sparse_mixtures(1500)
    weights, summary, curve, _ = run(tmp_path, Rows(x * 10), RELU)
    assert summary["l1_coefficient_raw"] == pytest.approx(4.0 / summary["data_scale"])
    f = torch.relu((x * 10 - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"])
    mse = (x * 10 - f @ weights["W_dec"] - weights["b_dec"]).square().sum(1).mean().item()
    assert curve[-1]["mse"] == pytest.approx(mse, rel=0.2)
    assert curve[-1]["vectors"] == summary["vectors"] == 2560


def test_training_does_not_depend_on_the_scale_of_the_data(tmp_path):
    x, _ = sparse_mixtures(1500)
    small, *_ = run(tmp_path / "a", Rows(x), RELU)
    large, *_ = run(tmp_path / "b", Rows(x * 64), RELU)
    torch.testing.assert_close(small["W_dec"], large["W_dec"], atol=1e-4, rtol=0)
    torch.testing.assert_close(small["b_dec"] * 64, large["b_dec"], atol=1e-2, rtol=1e-4)


def test_an_l1_so_high_that_nothing_fires_is_said_and_the_checkpoint_stays(tmp_path):
    x, _ = sparse_mixtures(1500)
    config = dataclasses.replace(RELU, l1_coefficient=500.0, vectors=200 * 64, resample=None)
    with pytest.raises(loop.TrainingError, match=r"step \d+: almost no latent fires.*l1_coefficient"):
        run(tmp_path, Rows(x), config, every=0.0)
    assert (tmp_path / "c" / "state").exists()


def test_nan_in_the_data_is_said_in_one_sentence(tmp_path):
    x, _ = sparse_mixtures(1500)
    x[7, 3] = torch.nan
    with pytest.raises(loop.TrainingError, match=r"step 0: the activations hold NaN"):
        run(tmp_path, Rows(x), TOPK)
    x, _ = sparse_mixtures(20_000)
    x[np.random.default_rng(0).integers(0, 20_000, 3), 0] = torch.inf
    with pytest.raises(loop.TrainingError, match=r"the activations hold NaN or infinity"):
        run(tmp_path, Rows(x), dataclasses.replace(TOPK, vectors=20_000))


def test_divergence_is_said_in_one_sentence(tmp_path):
    x, _ = sparse_mixtures(1500)
    with pytest.raises(loop.TrainingError, match=r"step \d+: .*learning_rate"):
        run(tmp_path, Rows(x), dataclasses.replace(TOPK, learning_rate=1e30, warmup_steps=0))


@pytest.mark.parametrize("name", SMALL)
def test_finite_divergence_is_noticed_and_the_last_good_checkpoint_stays(tmp_path, name):
    x, _ = sparse_mixtures(1500)
    config = dataclasses.replace(SMALL[name], learning_rate=30.0, warmup_steps=20, resample=None, l1_coefficient=0.1)
    with pytest.raises(loop.TrainingError, match=r"^step \d+: .*\([0-9.e+]+\)") as caught:
        run(tmp_path, Rows(x), config, every=0.0)
    failed_at = int(str(caught.value).split()[1].rstrip(":"))
    kept, sentence = checkpoint.load(
        tmp_path / "c" / "state", artefacts.sha256_json([dataclasses.asdict(config), 5, "", *x.shape])
    )
    assert kept is not None, sentence
    assert 0 < kept.step < failed_at < config.steps
    assert all(row["explained_variance"] > -10 for row in kept.curve)


@pytest.mark.parametrize(
    ("name", "changes", "knob"),
    [
        ("jumprelu", {"l0_coefficient": 1e5, "vectors": 200 * 64}, r"l0_coefficient \(100000.0\)"),
        ("gated", {"l1_coefficient": 1e3, "vectors": 200 * 64}, r"l1_coefficient \(1000.0\)"),
        ("relu_decoder_norm", {"l1_coefficient": 1e3, "vectors": 200 * 64}, r"l1_coefficient \(1000.0\)"),
    ],
)
def test_silence_names_the_knob_of_its_architecture(tmp_path, name, changes, knob):
    x, _ = sparse_mixtures(1500)
    with pytest.raises(loop.TrainingError, match=r"step \d+: almost no latent fires .*" + knob):
        run(tmp_path, Rows(x), dataclasses.replace(SMALL[name], learning_rate=0.02, **changes))


def test_dead_latents_are_named_with_their_knob():
    assert diagnose.all_dead(0.99, TOPK) is None and diagnose.many_dead(0.5, TOPK) is None
    assert "all 48 latents are dead; raise aux_coefficient" in diagnose.all_dead(1.0, TOPK)
    assert "60% of the latents are dead at the end; set resample" in diagnose.many_dead(0.6, RELU)
    assert "lower l0_coefficient (1.0)" in diagnose.many_dead(0.6, SMALL["jumprelu"])


def test_a_jump_of_the_loss_after_resampling_is_no_divergence():
    sums = {"power": 1.0, "loss": 50.0, "vectors": 10, "active": 20, "squared_error": 50.0, "variance": 1.0}
    first = {"explained_variance": 0.0}
    assert diagnose.diagnose(sums, 13, first, RELU) is None  # resampled after step 12
    assert "diverges" in diagnose.diagnose(sums, 11, first, RELU)
    assert "diverges" in diagnose.diagnose(sums | {"squared_error": 2000.0}, 13, first, RELU)
    assert diagnose.diagnose(sums, 11, {"explained_variance": -40.0}, RELU) is None  # it started as badly


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"architecture": "topk", "d_sae": 8, "vectors": 9, "kk": 2}, "unknown key 'kk'"),
        ({"architecture": "topk", "d_sae": 8, "vectors": 9}, "SAE run: k is missing: the architecture"),
        ({"architecture": "relu", "d_sae": 8, "vectors": 9}, "SAE run: l1_coefficient is missing: the architecture"),
        ({"architecture": "topk", "d_sae": 8, "vectors": 9, "k": 9}, "k: expected at most d_sae = 8, found 9"),
        ({"architecture": "gru", "d_sae": 8, "vectors": 9}, "gru"),
        ({"architecture": "batchtopk", "d_sae": 8, "vectors": 9}, "SAE run: k is missing: the architecture"),
        (
            {"architecture": "jumprelu", "d_sae": 8, "vectors": 9},
            "SAE run: l0_coefficient is missing: the architecture",
        ),
        ({"architecture": "gated", "d_sae": 8, "vectors": 9}, "SAE run: l1_coefficient is missing: the architecture"),
        (
            {"architecture": "matryoshka_batchtopk", "d_sae": 8, "vectors": 9, "k": 2, "prefixes": [4, 4, 8]},
            r"prefixes: expected numbers that rise to d_sae = 8, found \[4, 4, 8\]",
        ),
    ],
)
def test_parameters_are_checked(params, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_params(params)


def test_the_defaults_of_the_main_line_are_those_of_the_declaration():
    defaults = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))["sae"]["defaults"]
    config = SaeConfig("topk", 8, 9)
    assert defaults == {key: getattr(config, key) for key in defaults}


def test_every_architecture_has_parameters_of_the_configuration():
    fields = {field.name for field in dataclasses.fields(SaeConfig)}
    assert {key for each in ARCHITECTURES.values() for key in each.keys} <= fields
