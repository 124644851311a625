"""A parked manifest is claimed once, by the site's own job, and only if it is of the same weights, text and seed."""

import pytest

from scripts.monosem.activations import shared_pass
from scripts.monosem.core import artefacts

IDENTITY = {"model_sha256": "a", "seed": 0}


@pytest.fixture
def folder(tmp_path):
    artefacts.write_json({**IDENTITY, "d_in": 4}, tmp_path / "manifest.json")
    return tmp_path


def test_a_parked_manifest_is_claimed_once(folder):
    shared_pass.park_manifest(folder)
    assert not (folder / "manifest.json").exists()
    assert shared_pass.claim_manifest(folder, IDENTITY)
    assert artefacts.read_json(folder / "manifest.json")["d_in"] == 4
    assert not shared_pass.claim_manifest(folder, IDENTITY)


@pytest.mark.parametrize("key, value", [("model_sha256", "b"), ("seed", 1), ("tokens_split", "train")])
def test_a_manifest_of_another_run_is_not_claimed(folder, key, value):
    shared_pass.park_manifest(folder)
    assert not shared_pass.claim_manifest(folder, {**IDENTITY, key: value})
    assert not (folder / "manifest.json").exists()


def test_nothing_is_claimed_where_nothing_is_parked(folder):
    assert not shared_pass.claim_manifest(folder, IDENTITY)
    assert (folder / "manifest.json").exists()
