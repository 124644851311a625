"""Pretrained models on this machine: which files make one."""

import json

import pytest

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import source
from tests.helpers import family_models, gguf_files


def put(folder, *names, index=None):
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json", *names):
        (folder / name).write_text("{}")
    if index:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


@pytest.mark.parametrize(
    "names, index, weights",
    [
        (["model.safetensors"], None, ["model.safetensors"]),
        (["a.safetensors", "b.safetensors"], {"x": "b.safetensors", "y": "a.safetensors"},
         ["model.safetensors.index.json", "a.safetensors", "b.safetensors"]),
        (["pytorch_model.bin"], None, ["pytorch_model.bin"]),
    ],
)  # fmt: skip
def test_every_file_that_is_read_of_a_folder_is_named(tmp_path, names, index, weights):
    put(tmp_path, *names, index=index)
    others = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert [path.name for path in source.files_of(tmp_path, allow_pickle=True)] == [*others, *weights]


def test_a_gguf_file_is_a_model_by_itself(tmp_path):
    path = tmp_path / "a.gguf"
    assert source.find({"gguf": str(path)}) is None and source.find({"gguf": "no_package:a.gguf"}) is None
    gguf_files.write(family_models.model("llama"), "llama", path)
    assert source.find({"gguf": str(path)}) == path and source.files_of(path) == [path]
    assert source.config_of(path)["hidden_size"] == 16


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"name": "no/such"}, "models.a.pretrained.name: 'no/such' is neither a folder with config.json"),
        ({"name": "no/such", "revision": "v1"}, "`python -m scripts.fetch_model no/such --revision v1` fetches it"),
        ({"name": "/no/such/folder"}, "put these files there, or give the path of a folder that has them"),
        ({"name": "tests"}, "put these files there, or give the path of a folder that has them"),
        ({"gguf": "a.gguf"}, "models.a.pretrained.gguf: 'a.gguf' is no file"),
        ({"gguf": "no_package:a.gguf"}, "models.a.pretrained.gguf: the package 'no_package' is not installed"),
    ],
)
def test_a_model_that_is_not_here_is_refused_by_its_key(settings, sentence):
    with pytest.raises(ArtefactError, match=sentence):
        source.require(settings, "models.a.pretrained")
