"""Scores of a whole site in a tiny model whose embedding tells the contexts apart."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode_text
from scripts.monosem.evaluation.scores.document import Explanations, Scores
from scripts.monosem.evaluation.scores.run import score_units
from tests.helpers import evaluation_world as world

SETTINGS = {"units": 8, "examples": 4, "bootstrap": 50}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    folders = world.make_world(root, world.RESIDUAL)
    Tokenizer(models.WordLevel({f"w{token}": token for token in range(world.VOCAB)}, unk_token="w0")).save(
        str(root / "tokenizer.json")
    )
    for name in ("exact", "random"):
        codes = encode_text(folders["model"], folders["tokens"], folders[name], 800, 0, "cpu")
        stored_codes.save(codes, folders[name] / "codes.npz")
    return folders | {"tokenizer": root / "tokenizer.json"}


def run(folders, control_codes):
    control = (folders["model"], folders["random"], control_codes) if control_codes else None
    return score_units(
        folders["model"], folders["tokens"], folders["tokenizer"], folders["exact"], folders["exact"] / "codes.npz",
        control, (folders["model"], "blocks.1.hook_resid_post"), SETTINGS, 0, "cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(folders):
    scores, explanations, arrays = run(folders, folders["random"] / "codes.npz")
    return *(json.loads(json.dumps(to_json(part), allow_nan=False)) for part in (scores, explanations)), arrays


def test_the_documents_come_back_from_json(results):
    assert to_json(from_json(Scores, results[0])) == results[0]
    assert to_json(from_json(Explanations, results[1])) == results[1]


def test_every_population_has_the_same_keys(results):
    populations = results[0]["populations"]
    assert list(populations) == ["latents", "neurons", "rotated", "random", "permuted"]
    for name, population in populations.items():
        for variant in ("raw", "equal_density"):
            sample = population[variant]
            assert list(sample["scores"]) == list(populations["latents"]["raw"]["scores"])
            assert set(sample["above"]) == {"latents", "neurons"} - {name}
            for row in sample["scores"].values():
                assert row["value"] is None or row["low"] <= row["value"] <= row["high"]


def test_latents_of_the_embedding_are_explained_by_tokens(results):
    scores = results[0]["populations"]["latents"]["raw"]["scores"]
    assert scores["token_pearson"]["value"] > 0.9
    for unit in results[1]["populations"]["latents"]:
        if unit["index"] < 4:  # the dimensions that tell the contexts
            named = {pattern["tokens"][-1] for pattern in unit["patterns"]}
            assert named <= {f"w{10 * (unit['index'] + 1) + i}" for i in range(10)}


def test_no_unit_is_denser_than_its_latent(results):
    density = {name: results[2][f"{name}.equal_density.density"] for name in ("latents", "neurons", "random")}
    assert np.median(density["neurons"] / density["latents"]) < 1.2


def test_without_a_control_there_is_no_fifth_population(folders):
    scores, _, _ = run(folders, None)
    assert scores.control is None and "permuted" not in scores.populations


def test_codes_of_other_text_are_refused(folders, tmp_path):
    codes = encode_text(folders["model"], folders["tokens"], folders["random"], 800, 1, "cpu")
    stored_codes.save(codes, tmp_path / "codes.npz")
    with pytest.raises(artefacts.ArtefactError, match="other text"):
        run(folders, tmp_path / "codes.npz")


def test_a_dictionary_in_which_nothing_fires_has_no_scores(folders, tmp_path):
    digest = artefacts.read_json(folders["exact"] / "cfg.json")["metadata"]["model_sha256"]
    (tmp_path / "dead").mkdir()
    silent = {"b_dec": torch.zeros(world.WIDTH), "b_enc": torch.full((3 * world.WIDTH,), -1e6)}
    dead = world.make_sae(tmp_path / "dead", world.RESIDUAL, digest, 1, **silent)
    stored_codes.save(encode_text(folders["model"], folders["tokens"], dead, 800, 0, "cpu"), dead / "codes.npz")
    scores, _, _ = run(folders | {"exact": dead}, None)
    sample = json.loads(json.dumps(to_json(scores), allow_nan=False))["populations"]["latents"]["raw"]
    assert sample["n_units"] == 0 and {row["value"] for row in sample["scores"].values()} == {None}
