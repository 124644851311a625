"""Training: resumable to the bit, better than chance, and the shuffled control keeps only the marginals."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.models import score as scores
from scripts.monosem.models import train as lm
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from scripts.monosem.models.gpt2.modules import build, initial_network, weights_of

SHAPE = Architecture(1, 16, 2, 32, 8, "relu", 20)
CONFIG = lm.Training(SHAPE, 6400, 4, 0.01, 0.02, 0.1, 0.1, seed=1)
CYCLE = np.tile(np.arange(20), 40).astype(np.uint16)


def run(tmp_path, name="a", config=CONFIG, **kwargs):
    curve = tmp_path / f"{name}.jsonl"
    network, summary = lm.train(CYCLE, config, tmp_path / f"{name}.pt", curve, **kwargs)
    return weights_of(network), summary, artefacts.read_jsonl(curve)


def mean_nats(weights):
    return scores.predict_all(build(asdict(SHAPE), weights, SHAPE.n_layer)[0], CYCLE).mean()


def test_it_learns_a_cycle_that_an_untrained_model_does_not_know(tmp_path):
    weights, summary, curve = run(tmp_path)
    assert summary["steps"] == 200 and summary["tokens"] == 6400
    assert mean_nats(weights) < 0.2 < 2.5 < mean_nats(initialise(SHAPE, 0))
    assert curve[-1]["loss_nats"] < curve[0]["loss_nats"]


def test_a_model_without_mlps_starts_alike_and_learns(tmp_path):
    """0 neurons: the block adds the output bias of its MLP and nothing else."""
    shape = replace(SHAPE, n_inner=0)
    start, full = initialise(shape, 0), initialise(SHAPE, 0)
    assert all(torch.equal(start[name], full[name]) for name in full if "mlp" not in name)
    assert start["transformer.h.0.mlp.c_fc.weight"].numel() == 0
    weights, *_ = run(tmp_path, config=replace(CONFIG, architecture=shape))
    network = build(asdict(shape), weights, shape.n_layer)[0]
    assert scores.predict_all(network, CYCLE).mean() < 1.0 < np.log(20)
    wide = {name: value if value.numel() else torch.zeros_like(full[name]) for name, value in weights.items()}
    silent = build(asdict(SHAPE), wide, shape.n_layer)[0]  # an MLP of zeros is none
    assert np.allclose(scores.predict_all(silent, CYCLE), scores.predict_all(network, CYCLE), atol=1e-5)


@pytest.mark.parametrize("stop", [1, 57, 199])
def test_two_halves_equal_one_whole_bit_for_bit(tmp_path, stop):
    whole, _, whole_curve = run(tmp_path, "whole")
    run(tmp_path, "halves", stop_after_step=stop)
    halves, _, curve = run(tmp_path, "halves")
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    timeless = [[{k: v for k, v in line.items() if k != "seconds"} for line in c] for c in (whole_curve, curve)]
    assert timeless[0] == timeless[1]


def test_a_checkpoint_of_other_settings_or_cut_short_or_changed_is_not_used(tmp_path, capsys):
    whole, *_ = run(tmp_path, "whole")
    run(tmp_path, "other", replace(CONFIG, seed=2), stop_after_step=50)
    after_other, *_ = run(tmp_path, "other")
    assert "belongs to other settings" in capsys.readouterr().out
    checkpoint = tmp_path / "other.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    after_cut, *_ = run(tmp_path, "other")
    assert "cannot be read" in capsys.readouterr().out
    run(tmp_path, "other", stop_after_step=50)
    changed = bytearray(checkpoint.read_bytes())
    changed[len(changed) // 2] ^= 1
    checkpoint.write_bytes(changed)
    after_flip, *_ = run(tmp_path, "other")
    assert "cannot be read" in capsys.readouterr().out
    for weights in (after_other, after_cut, after_flip):
        assert all(torch.equal(whole[name], weights[name]) for name in whole)


def test_seeds_change_weights_and_order(tmp_path):
    a, b = (lm.window_starts(5000, replace(CONFIG, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(a, b)
    first, *_ = run(tmp_path, "a")
    second, *_ = run(tmp_path, "b", replace(CONFIG, seed=2))
    assert not torch.equal(first["transformer.wte.weight"], second["transformer.wte.weight"])


def test_windows_of_an_epoch_do_not_overlap_and_targets_are_the_next_tokens():
    starts = lm.window_starts(5000, CONFIG)
    epoch = np.sort(starts[: (5000 - 16) // 8])
    assert (np.diff(epoch) >= 8).all()
    inputs, targets = lm.batch_at(np.arange(5000), starts[:5], 8)
    assert torch.equal(inputs + 1, targets) and inputs[:, 0].tolist() == starts[:5].tolist()


def test_learning_rate_rises_then_falls_to_zero():
    rates = [lm.schedule(step, CONFIG) for step in range(CONFIG.steps + 1)]
    assert max(rates) == 1 and rates.index(max(rates)) in (19, 20)
    assert rates[-1] == 0


def test_divergence_is_one_sentence_with_step_and_knob(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match="before step .* lower learning_rate"):
        run(tmp_path, config=replace(CONFIG, learning_rate=float("inf")))


def test_shuffling_keeps_the_marginals_and_destroys_what_was_learnt(tmp_path):
    trained, *_ = run(tmp_path)
    shuffled = lm.shuffle_weights(trained, 3)
    for name, value in trained.items():
        assert torch.equal(value.flatten().sort().values, shuffled[name].flatten().sort().values)
        assert torch.equal(value, shuffled[name]) == (value.dim() == 1)
    assert mean_nats(shuffled) > np.log(20) > mean_nats(trained)


@pytest.mark.parametrize("n", [17, 24, 25, 33])
def test_every_token_but_the_first_is_predicted_once(n):
    network = initial_network(SHAPE, 0)
    tokens = np.random.default_rng(0).integers(20, size=n)
    nats = scores.predict_all(network, tokens, batch_size=2)
    assert len(nats) == n - 1
    inputs = torch.from_numpy(tokens[8:16])[None]
    alone = scores.token_nats(network, inputs, torch.from_numpy(tokens[9:17])[None])
    np.testing.assert_allclose(nats[8:16], alone[0], atol=1e-5)


def test_losses_on_text_that_stands_in_train_and_on_other_text_are_told_apart():
    nats, natural = np.array([1.0, 2.0, 4.0, 9.0]), np.array([True, True, True, False])
    apart = scores.seen_and_unseen(nats, natural, np.array([True, False, False, True]))
    assert apart == {"verbatim": 1.0, "clean": 3.0}
    assert scores.seen_and_unseen(nats, natural, ~natural)["verbatim"] is None


def test_bits_per_character_by_hand():
    """Two chosen tokens of ln 4 and ln 16 nats over three characters: 6 bits / 3."""
    nats = np.log([4.0, 99.0, 16.0])
    summary = scores.summarise(nats, np.array([True, False, True]), 3)
    assert summary["bits_per_character"] == pytest.approx(2)
    assert summary["nats_per_token"] == pytest.approx(np.log(8))


def test_the_curve_is_json_lines(tmp_path):
    *_, curve = run(tmp_path, config=replace(CONFIG, tokens=32 * 1003), validate=lambda _: 1.5)
    assert json.loads(json.dumps(curve)) == curve
    # also where steps are logged at other multiples
    assert [line["step"] for line in curve if "validation_nats" in line] == [251, 502, 753, 1003]
