"""The whole interpretation of an autoencoder in a tiny model whose embedding tells the contexts apart."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.latents.document import Contexts, Interpretation
from scripts.monosem.evaluation.latents.interpret import interpret
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import evaluation_world as world

INTERPRETATION = {"units": 6, "examples": 3, "tokens": 1200}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    vocabulary = {f"w{token} ": token for token in range(world.VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0 "))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.save(str(root / "tokenizer.json"))
    return world.make_world(root, world.RESIDUAL) | {"tokenizer": root / "tokenizer.json"}


def run(folders, **changed):
    result = interpret(
        folders["model"], folders["tokens"], folders["tokenizer"], changed.get("sae", folders["exact"]),
        INTERPRETATION, 0, "cpu",
    )  # fmt: skip
    return (*(json.loads(json.dumps(to_json(part), allow_nan=False)) for part in result[:2]), result[2])


@pytest.fixture(scope="module")
def results(folders):
    return run(folders)


def test_the_documents_come_back_from_json(results):
    assert to_json(from_json(Interpretation, results[0])) == results[0]
    assert to_json(from_json(Contexts, results[1])) == results[1]


def test_the_latent_of_each_context_is_chosen(results):
    found = results[1]["contexts"]
    assert list(found) == ["arabic", "hebrew", "dna", "base64"]
    for dimension, result in enumerate(found.values()):
        assert result["latent"]["index"] == dimension  # [I, -I] reads the embedding's dimensions one by one
        assert result["neuron"]["index"] == dimension
        assert result["latent"]["test"]["f1"] > 0.99 and result["latent"]["test"]["pearson"] > 0.95
        assert result["latent"]["test"]["specificity"] > 0.95
        for control in result["controls"].values():
            assert control["test"]["pearson"] < 0.5 < result["latent"]["test"]["pearson"]
        assert result["controls"]["shuffled_labels"]["test"]["f1"] < 0.4


def test_labels_are_counted_over_kept_positions(results, folders):
    shares = [result["share_of_tokens"] for result in results[1]["contexts"].values()]
    assert sum(shares) == pytest.approx(1 / 3, abs=0.1)
    n_tokens = results[1]["n_tokens"]
    assert 0.8 * INTERPRETATION["tokens"] < n_tokens["test"] < INTERPRETATION["tokens"]


def test_cards_tell_the_truth_about_the_text(results, folders):
    stream = load_tokens(folders["tokens"], "test")
    embedding = artefacts.load_tensors(folders["model"] / "model.safetensors")["transformer.wte.weight"]
    for kind in ("latents", "neurons"):
        assert len(results[0][kind]) == INTERPRETATION["units"]
        for card in results[0][kind]:
            assert len(card["examples"]) <= INTERPRETATION["examples"]
            heights = [example["activation"] for example in card["examples"]]
            assert heights == sorted(heights, reverse=True)
            for example in card["examples"]:
                assert len(example["tokens"]) == len(example["activations"])
                assert example["activations"][example["peak"]] == pytest.approx(example["activation"])
                token = stream.tokens[example["source_position"]]
                assert example["tokens"][example["peak"]].strip() == f"w{token}"
                assert "w0 " not in example["tokens"]
                sign = 1 if card["index"] < world.WIDTH else -1
                expected = sign * embedding[token, card["index"] % world.WIDTH]
                assert example["activation"] == pytest.approx(float(expected), abs=0.3)  # positions add a little
            weights = [row["weight"] for row in card["logit_weights"]["top"]]
            assert weights == sorted(weights, reverse=True)
            listed = {row["token"] for row in card["logit_weights"]["top"] + card["logit_weights"]["bottom"]}
            assert not listed & {0, 49}  # never seen in training


def test_sampled_units_are_live_and_distinct(results):
    for kind in ("latents", "neurons"):
        index = [card["index"] for card in results[0][kind]]
        assert len(set(index)) == len(index)
        assert all(card["density"] > 0 for card in results[0][kind])
        assert results[0]["summary"][kind]["n_units"] <= results[0]["summary"][kind]["n_live"]


def test_histograms_agree_with_the_scores(results):
    histograms = results[2]
    for context, result in results[1]["contexts"].items():
        counts = histograms[f"{context}.latent.counts"]
        number = ["natural", "arabic", "hebrew", "dna", "base64"].index(context)
        assert counts[number].sum() / counts.sum() == pytest.approx(result["latent"]["test"]["specificity"])


def test_the_same_seed_gives_the_same_numbers(results, folders):
    again = run(folders)
    assert again[0] == results[0] and again[1] == results[1]
    assert all(np.array_equal(again[2][name], array) for name, array in results[2].items())


def test_an_autoencoder_of_another_model_is_refused(folders, tmp_path):
    cfg = json.loads((folders["exact"] / "cfg.json").read_text())
    cfg["metadata"]["model_sha256"] = "0" * 64
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    (tmp_path / "sae_weights.safetensors").write_bytes((folders["exact"] / "sae_weights.safetensors").read_bytes())
    with pytest.raises(artefacts.ArtefactError, match="was trained on model"):
        run(folders, sae=tmp_path)
