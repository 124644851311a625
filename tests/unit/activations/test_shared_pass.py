"""Activations read in another site's pass wait for their own job, which takes no others."""

import pytest

from scripts.monosem.activations import shared_pass
from scripts.monosem.core import artefacts

IDENTITY = {"model_sha256": "a", "seed": 0}


@pytest.fixture
def folder(tmp_path):
    artefacts.write_json({**IDENTITY, "d_in": 4}, tmp_path / "manifest.json")
    return tmp_path


def test_what_is_held_back_is_taken_once(folder):
    shared_pass.hold_back(folder)
    assert not (folder / "manifest.json").exists()
    assert shared_pass.take(folder, IDENTITY)
    assert artefacts.read_json(folder / "manifest.json")["d_in"] == 4
    assert not shared_pass.take(folder, IDENTITY)


@pytest.mark.parametrize("key, value", [("model_sha256", "b"), ("seed", 1), ("tokens_split", "train")])
def test_what_another_run_left_is_not_taken(folder, key, value):
    shared_pass.hold_back(folder)
    assert not shared_pass.take(folder, {**IDENTITY, key: value})
    assert not (folder / "manifest.json").exists()


def test_a_site_without_a_pass_before_it_takes_nothing(folder):
    assert not shared_pass.take(folder, IDENTITY)
    assert (folder / "manifest.json").exists()
