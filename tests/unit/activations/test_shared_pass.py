"""Waiting activations are claimed once, by their own job, and only if whole and of the same weights, text and seed."""

import pytest

from scripts.monosem.activations import shared_pass
from scripts.monosem.core import artefacts

IDENTITY = {"model_sha256": "a", "seed": 0}


@pytest.fixture
def folder(tmp_path):
    """Folder of a site whose activations wait in it."""
    waiting = shared_pass.waiting_folder(tmp_path)
    artefacts.write_json({**IDENTITY, "d_in": 4}, waiting / "manifest.json")
    for name in ("activations.npy", "positions.npy"):
        artefacts.write_text(name, waiting / name)
    return tmp_path


def test_waiting_activations_are_claimed_once(folder):
    assert shared_pass.claim(folder, IDENTITY)
    assert artefacts.read_json(folder / "manifest.json")["d_in"] == 4
    assert {path.name for path in folder.iterdir()} == set(shared_pass.FILES)
    assert not shared_pass.claim(folder, IDENTITY)


@pytest.mark.parametrize("key, value", [("model_sha256", "b"), ("seed", 1), ("tokens_split", "train")])
def test_those_of_another_run_are_not_claimed(folder, key, value):
    assert not shared_pass.claim(folder, {**IDENTITY, key: value})
    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize("name", shared_pass.FILES)
def test_those_that_are_not_whole_are_not_claimed(folder, name):
    (shared_pass.waiting_folder(folder) / name).unlink()
    assert not shared_pass.claim(folder, IDENTITY)
    assert not (folder / "manifest.json").exists()
