"""An exported folder opens elsewhere and holds what the autoencoder computes."""

import json
import sys

import numpy as np
import pytest
import torch

from scripts import export_sae
from scripts.monosem.browser import export, readings, units
from scripts.monosem.core import artefacts
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import encode, load_sae
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import browser_world as world


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("export")
    source = world.make_world(root).sources[0]
    count = export.export(source.sae, source.model, source.tokens, source.read, root / "out")
    assert count == 96
    return source, root / "out"


def test_the_saelens_folder_is_the_autoencoder_with_a_card(made):
    source, out = made
    theirs, ours = load_sae(out / "saelens"), load_sae(source.sae)
    assert torch.equal(theirs.W_enc, ours.W_enc) and theirs.cfg == ours.cfg
    card = (out / "saelens" / "README.md").read_text()
    assert (
        card.startswith("---\nlibrary_name: saelens\n")
        and f"| site | {world.SITE} |" in card
        and "| latents | 96, of which" in card
    )


def test_neuronpedia_s_features_are_all_there_once(made):
    _, out = made
    (path,) = (out / "neuronpedia").iterdir()
    document = json.loads(path.read_text())
    assert {key: document[key] for key in ("model_id", "layer", "sae_set")} == {
        "model_id": "a",
        "layer": 0,
        "sae_set": "topk-96",
    }
    assert [feature["feature_index"] for feature in document["features"]] == list(range(96))


LISTS = (
    "neuron_alignment_indices", "neuron_alignment_values", "neuron_alignment_l1", "correlated_neurons_indices",
    "correlated_neurons_l1", "correlated_neurons_pearson", "correlated_features_indices", "correlated_features_l1",
    "correlated_features_pearson", "neg_str", "neg_values", "pos_str", "pos_values", "freq_hist_data_bar_values",
    "freq_hist_data_bar_heights", "logits_hist_data_bar_heights", "logits_hist_data_bar_values", "activations",
    "decoder_weights_dist", "vector",
)  # fmt: skip
NUMBERS = {"feature_index": int, "frac_nonzero": float, "n_prompts_total": int, "n_tokens_in_prompt": int}
EXAMPLE = {"tokens": list, "values": list, "bin_min": float, "bin_max": float, "bin_contains": float,
           "qualifying_token_index": int}  # fmt: skip
"""Keys and types of SAEDashboard's NeuronpediaDashboardFeature and NeuronpediaDashboardActivation."""


def test_features_have_the_keys_types_and_lengths_of_saedashboard(made):
    _, out = made
    for feature in json.loads((out / "neuronpedia" / "batch-0.json").read_text())["features"]:
        assert set(feature) == {*LISTS, *NUMBERS, "dataset"} and isinstance(feature["dataset"], str)
        assert all(type(feature[key]) is kind for key, kind in NUMBERS.items())
        assert all(isinstance(feature[key], list) for key in LISTS)
        for heights, values in (("freq_hist_data_bar_heights", "freq_hist_data_bar_values"),
                                ("logits_hist_data_bar_heights", "logits_hist_data_bar_values"),
                                ("pos_str", "pos_values"), ("neg_str", "neg_values"),
                                ("neuron_alignment_indices", "neuron_alignment_values")):  # fmt: skip
            assert len(feature[heights]) == len(feature[values]), heights
        for example in feature["activations"]:
            assert {key: type(value) for key, value in example.items()} == EXAMPLE
            assert all(isinstance(token, str) for token in example["tokens"])


OPENED = {"standard": set(), "topk": {"k"}, "jumprelu": set(), "gated": set()}
"""Architectures of SAELens 6 for inference -> keys of cfg.json beside those of every SAEConfig that it must give."""


def test_the_saelens_folder_has_what_saelens_opens(made):
    """Files and keys that `SAE.load_from_disk` of SAELens 6 reads; the library itself: `make bench-test`."""
    _, out = made
    assert {path.name for path in (out / "saelens").iterdir()} >= {"cfg.json", "sae_weights.safetensors"}
    cfg = artefacts.read_json(out / "saelens" / "cfg.json")
    assert cfg["architecture"] in OPENED and {"d_in", "d_sae", "dtype", "metadata"} <= set(cfg)
    assert OPENED[cfg["architecture"]] <= set(cfg)
    tensors = artefacts.load_tensors(out / "saelens" / "sae_weights.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "W_enc": (48, 96), "b_enc": (96,), "W_dec": (96, 48), "b_dec": (48,),
    }  # fmt: skip


def test_examples_have_the_activations_of_the_autoencoder(made):
    source, out = made
    feature_list = json.loads((out / "neuronpedia" / "batch-0.json").read_text())["features"]
    model, sae = load_model(source.model), load_sae(source.sae)
    reading = readings.of_codes(source.read, load_tokens(source.tokens, "test"))
    x = sites.capture(model, sites.resolve(model, world.SITE), torch.tensor(reading.tokens), 0)
    dense = encode(sae, x.reshape(-1, 48)).numpy()[reading.places]
    for feature in [each for each in feature_list if each["activations"]][:20]:
        unit, column = feature["feature_index"], dense[:, feature["feature_index"]]
        assert feature["frac_nonzero"] == pytest.approx((column > 0).mean(), abs=2e-3)
        best = feature["activations"][0]
        assert (
            best["values"][best["qualifying_token_index"]]
            == max(best["values"])
            == pytest.approx(column.max(), rel=1e-3)
        )
        assert len(best["tokens"]) == len(best["values"]) and best["bin_min"] == export.WHOLE_RANGE
        for example in feature["activations"][units.TOP :]:
            value = example["values"][example["qualifying_token_index"]]
            assert example["bin_min"] * 0.999 < value <= example["bin_max"] * 1.01 and 0 <= example["bin_contains"] <= 1
        assert feature["vector"] == pytest.approx(sae.W_dec[unit].tolist(), rel=1e-3, abs=1e-6)
        assert feature["pos_values"] == sorted(feature["pos_values"], reverse=True)
        assert sum(feature["freq_hist_data_bar_heights"]) == np.count_nonzero(column)


def test_a_folder_that_exists_is_refused(made):
    source, out = made
    with pytest.raises(artefacts.ArtefactError, match="out exists already; name a folder to make"):
        export.export(source.sae, source.model, source.tokens, source.read, out)


def test_the_command(made, monkeypatch, capsys, tmp_path):
    source, _ = made
    words = [str(source.sae), str(tmp_path / "x"), "--tokens", str(source.tokens)]
    monkeypatch.setattr(sys, "argv", ["export_sae", *words])
    export_sae.main()
    assert capsys.readouterr().out.startswith("96 latents: ")
