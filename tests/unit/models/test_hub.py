"""Fetching with the real hub client from a hub on the loopback interface: success, and everything that goes wrong."""

import json
import os
import subprocess
import sys

import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.models import model_folder
from tests.helpers.loopback_hub import COMMIT, Hub, serving

REPOSITORY = "someone/tiny"


@pytest.fixture
def hub(tmp_path):
    import torch

    artefacts.save_tensors({"w": torch.arange(50_000.0)}, tmp_path / "w.safetensors")
    weights = (tmp_path / "w.safetensors").read_bytes()
    return Hub(
        REPOSITORY, {"config.json": b'{"model_type": "gpt2"}', "tokenizer.json": b"{}", "model.safetensors": weights}
    )


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))

    def call(endpoint: str, *words: str) -> subprocess.CompletedProcess:
        settings = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        command = [sys.executable, "-m", "scripts.fetch_model", *(words or (REPOSITORY,))]
        return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)

    return call


def sentence(done: subprocess.CompletedProcess) -> str:
    """The last line on stderr of a failed call, which shows no traceback."""
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_fetched_model_is_found_afterwards_by_its_revision_too(hub, fetch):
    with serving(hub) as endpoint:
        done = fetch(endpoint, REPOSITORY, "--revision", "v1")
    folder = model_folder.find_pretrained(REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert folder.name == COMMIT and done.stdout.strip().endswith(str(folder))
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    for revision in ("v1", COMMIT):
        assert model_folder.find_pretrained(REPOSITORY, revision) == folder
    assert model_folder.find_pretrained(REPOSITORY, "v2") is None
    assert fetch("http://127.0.0.1:9", REPOSITORY, "--revision", COMMIT).returncode == 0  # nothing is asked again


@pytest.mark.parametrize("words", [("a b",), ("x/y/z", "--sae", "."), ("/no/folder",)])
def test_what_cannot_be_a_name_on_the_hub_is_refused_before_anything_is_asked(fetch, words):
    assert "nor a name on the hub, which is owner/name" in sentence(fetch("http://127.0.0.1:9", *words))


def test_a_model_in_several_files(hub, fetch):
    weights = hub.files.pop("model.safetensors")
    names = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    hub.files |= dict.fromkeys(names, weights)
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": names[0], "b": names[1]}}).encode()
    with serving(hub) as endpoint:
        assert fetch(endpoint).returncode == 0
    assert model_folder.weight_files(model_folder.find_pretrained(REPOSITORY)) == names


def test_a_cut_connection_is_resumed(hub, fetch):
    """The client writes 10 MiB at a time, so that is where it goes on."""
    hub.files["model.safetensors"] += bytes(12 * 2**20)
    hub.cut_once["model.safetensors"] = 11 * 2**20
    with serving(hub) as endpoint:
        done = fetch(endpoint)
    assert done.returncode == 0, done.stderr
    assert hub.ranges == [("model.safetensors", "bytes=10485760-")]
    folder = model_folder.find_pretrained(REPOSITORY)
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_a_file_without_the_declared_sha256_is_refused_and_removed(hub, fetch):
    hub.corrupt.add("model.safetensors")
    with serving(hub) as endpoint:
        assert "the hub declares" in sentence(fetch(endpoint))
        assert model_folder.find_pretrained(REPOSITORY) is None
        hub.corrupt.clear()
        assert fetch(endpoint).returncode == 0
    assert model_folder.find_pretrained(REPOSITORY) is not None


@pytest.mark.parametrize(
    "words, expected",
    [
        (("someone/other",), "there is no model 'someone/other'"),
        ((REPOSITORY, "--revision", "v9"), "has no revision 'v9'"),
    ],
)
def test_an_unknown_model_or_revision_is_one_sentence(hub, fetch, words, expected):
    with serving(hub) as endpoint:
        assert expected in sentence(fetch(endpoint, *words))


def test_a_missing_tokenizer_is_named(hub, fetch):
    del hub.files["tokenizer.json"]
    with serving(hub) as endpoint:
        assert "lacks a file that the workflow needs" in sentence(fetch(endpoint))


def test_pickled_weights_are_fetched_only_if_allowed(hub, fetch):
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    with serving(hub) as endpoint:
        assert "only where allow_pickle is true" in sentence(fetch(endpoint))
        assert fetch(endpoint, REPOSITORY, "--allow-pickle").returncode == 0
    assert model_folder.find_pretrained(REPOSITORY) is None
    assert model_folder.find_pretrained(REPOSITORY, allow_pickle=True) is not None


def test_an_autoencoder_in_a_folder_of_its_repository(fetch):
    from scripts.monosem.sae import formats

    hub = Hub(REPOSITORY, {"layer.1/cfg.json": b"{}", "layer.1/sae_weights.safetensors": b"weights"})
    with serving(hub) as endpoint:
        done = fetch(endpoint, REPOSITORY, "--sae", "layer.1", "--revision", "v1")
        assert done.returncode == 0, done.stderr
        other = fetch(endpoint, REPOSITORY, "--sae", "layer.2")
        assert "has no cfg.json and sae_weights.safetensors" in sentence(other)
        assert "there is no model 'someone/other'" in sentence(fetch(endpoint, "someone/other", "--sae", "layer.1"))
    folder = formats.find(REPOSITORY, "layer.1", "v1")
    assert done.stdout.strip() == str(folder) and folder.parent.name == COMMIT
    assert (folder / "sae_weights.safetensors").read_bytes() == b"weights"
    assert fetch("http://127.0.0.1:9", REPOSITORY, "--sae", "layer.1").returncode == 0  # nothing is asked again


def test_without_a_network_one_plain_sentence(fetch):
    line = sentence(fetch("http://127.0.0.1:9"))
    assert "cannot be reached (no network?)" in line and "give its path as the name" in line
    assert fetch("http://127.0.0.1:9", REPOSITORY, "--optional").returncode == 0
