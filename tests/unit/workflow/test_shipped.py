"""Shipped models are read where their recipe is the configuration's, and trained where anything differs."""

import copy
from pathlib import Path

import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.models import shipped as folder_of_models
from scripts.monosem.text import held_out
from scripts.monosem.workflow import shipped
from tests.helpers import configuration

TRAIN = {"architecture": {"n_layer": 1, "n_embd": 8}, "tokens": 100, "seed": 1}
TEXT = {"corpus": {"name": "letters", "split": {"train": 0.9}}, "tokenizer": {"vocab_size": 4}, "seed": 0}


@pytest.fixture
def results(tmp_path) -> Path:
    """Results of a run that has trained one model."""
    data, model = tmp_path / "results/data/letters", tmp_path / "results/models/a"
    for folder in (data / "tokenizer", model):
        folder.mkdir(parents=True)
    artefacts.write_json({"parameters": TEXT["corpus"], "seed": 0, "overlap": {"groups": 3}}, data / "manifest.json")
    tokenizer = {"model": {"vocab": {"a": 0, "b": 1, "c": 2}}, "added_tokens": [{"content": "<|endoftext|>"}]}
    artefacts.write_json(tokenizer, data / "tokenizer/tokenizer.json")
    artefacts.write_json({}, data / "tokenizer/tokenizer_config.json")
    artefacts.write_json({"kind": "trained", "train": TRAIN, "tokens": 100}, model / "training.json")
    artefacts.write_json({}, model / "config.json")
    artefacts.write_text("{}\n", model / "training.jsonl")
    weights = {"w": torch.linspace(-3, 3, 101), "b": torch.tensor([1e-3, -2e-7])}
    artefacts.save_tensors(weights, model / "model.safetensors")
    return tmp_path / "results"


@pytest.fixture
def place(results, tmp_path) -> Path:
    """The folder that ships its model."""
    folder = tmp_path / "models"
    folder.mkdir()
    held_out.save([("test", "one"), ("train", "two")], folder / held_out.FILE)
    folder_of_models.ship(results, "letters", ["a"], folder)
    return folder


def asked(place: Path | None, **changes) -> dict:
    """A configuration with the model."""
    config = {**copy.deepcopy(TEXT), "shipped": place and str(place), "models": {"a": {"train": copy.deepcopy(TRAIN)}}}
    return {**config, **changes}


def test_a_model_with_the_same_recipe_is_read(place):
    found = shipped.of(asked(place))
    assert (found.models, found.reasons) == (("a",), ())
    assert set(found.files_of("a")) >= {f"{place}/a/model.safetensors", f"{place}/recipe.json", *found.files}
    assert all(Path(path).is_file() for path in found.files_of("a"))


def test_weights_are_those_that_were_trained_to_half_a_unit_of_float16(place, results):
    weights = artefacts.load_tensors(results / "models/a/model.safetensors")
    read = folder_of_models.load_weights(place, "a")
    assert all(value.dtype == torch.float32 for value in read.values())
    for name, value in weights.items():
        unit = torch.maximum(value.abs() * 2**-10, torch.tensor(2.0**-24))
        assert bool(((read[name] - value).abs() <= unit / 2).all())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tokenizer": {"vocab_size": 5}}, "tokenizer.vocab_size is 5, there 4"),
        ({"seed": 7}, "seed is 7, there 0"),
        ({"corpus": {"name": "mine", "split": {"train": 0.9}}}, "corpus.name is 'mine', there 'letters'"),
        (
            {"corpus": {**TEXT["corpus"], "folder": "texts"}},
            "corpus.folder is 'texts', there None",
        ),
    ],
)
def test_other_text_trains_every_model(place, changes, sentence):
    found = shipped.of(asked(place, **changes))
    assert (found.folder, found.models, found.files) == (None, (), [])
    assert found.reasons == (f"Models of {place} are trained in this run: {sentence}",)


def test_other_settings_train_that_model_alone(place):
    config = asked(place)
    config["models"]["b"] = {"train": {**TRAIN, "seed": 2}}
    assert shipped.of(config).models == ("a",)
    config["models"]["a"]["train"]["architecture"]["n_embd"] = 16
    found = shipped.of(config)
    assert (found.folder, found.models) == (None, ())
    assert found.reasons == ("a is trained in this run: models.a.train.architecture.n_embd is 16, there 8",)


def test_without_a_folder_everything_is_trained():
    assert shipped.of(asked(None)) == shipped.Shipped(None, (), ())


def test_a_folder_without_a_recipe_is_refused(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match="shipped: expected a folder with recipe.json"):
        shipped.of(asked(tmp_path / "nowhere"))


def test_a_changed_file_is_refused_by_name(place):
    path = place / "a/model.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(
        artefacts.ArtefactError, match="a/model.safetensors is not the file that recipe.json beside it names"
    ):
        folder_of_models.load_weights(place, "a")
    path.unlink()
    with pytest.raises(artefacts.ArtefactError, match="a/model.safetensors is missing: `git checkout"):
        folder_of_models.load_weights(place, "a")


@pytest.mark.parametrize(
    ("summary", "weights", "sentence"),
    [
        ({"kind": "shuffled"}, None, "expected a model that was trained, this one is shuffled"),
        (None, {"w": torch.tensor([7e4])}, "w has values that float16 cannot hold"),
    ],
)
def test_what_cannot_be_shipped_is_refused(results, place, summary, weights, sentence):
    if summary:
        artefacts.write_json(summary, results / "models/a/training.json")
    if weights:
        artefacts.save_tensors(weights, results / "models/a/model.safetensors")
    with pytest.raises(artefacts.ArtefactError, match=sentence):
        folder_of_models.ship(results, "letters", ["a"], place)


def test_the_default_run_reads_its_models_and_from_scratch_trains_them():
    default = shipped.of(configuration.default())
    assert (default.folder, default.reasons) == ("paper/models", ())
    assert default.models == ("onelayer-a", "onelayer-b", "onelayer-a-no-mlp")
    for model in default.models:
        folder_of_models.load_weights(default.folder, model)
        assert Path(default.folder, model, folder_of_models.WEIGHTS).stat().st_size < 4e6
    assert shipped.of(configuration.default("paper/from-scratch.yaml")).models == ()
