"""The token table and the model without MLPs: what a dictionary must beat, and what it is measured against."""

import json

import numpy as np
import pytest
import torch

from scripts.monosem.activations.store import open_activations
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.evaluation.fidelity.token_table import token_table, tokens_of_rows
from scripts.monosem.models.load import load_model
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import evaluation_world as world

EVALUATION = {"tokens": 1600, "bootstrap": 200, "reference": "random"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return world.make_world(tmp_path_factory.mktemp("world"), world.RESIDUAL)


def test_rows_before_the_first_block_are_the_embeddings_of_their_tokens(folders):
    activations, train = open_activations(folders["activations"]), load_tokens(folders["tokens"], "train")
    tokens = tokens_of_rows(activations, train, 0)
    rows = activations.gather(np.arange(len(tokens)))
    transformer = load_model(folders["model"]).transformer
    positions = artefacts.load_npy(folders["activations"] / "positions.npy").astype(np.int64)
    expected = transformer.wte.weight[torch.from_numpy(tokens)] + transformer.wpe.weight[torch.from_numpy(positions)]
    assert torch.allclose(rows, expected, atol=1e-2)


def test_another_seed_is_refused(folders):
    """The windows would be others, and the table one of wrong tokens."""
    activations, train = open_activations(folders["activations"]), load_tokens(folders["tokens"], "train")
    with pytest.raises(artefacts.ArtefactError, match="not those of the windows that seed 1 gives"):
        tokens_of_rows(activations, train, 1)


def test_a_table_has_the_mean_of_each_token_and_the_centre_for_rare_ones(folders):
    activations, train = open_activations(folders["activations"]), load_tokens(folders["tokens"], "train")
    tokens, centre = tokens_of_rows(activations, train, 0), torch.full((world.WIDTH,), 9.0)
    counts = np.bincount(tokens, minlength=world.VOCAB)
    table = token_table(activations, train, centre, 3, 0).by_token
    most, least = (int(token) for token in np.argsort(-counts, kind="stable")[[0, 3]])
    expected = activations.gather(np.flatnonzero(tokens == most)).mean(0)
    assert torch.allclose(table(torch.tensor([most]))[0], expected, atol=1e-5)
    assert torch.equal(table(torch.tensor([least]))[0], centre)


def test_worth_is_one_for_the_clean_model_and_zero_for_what_is_as_good_as_none(folders, tmp_path):
    twin = tmp_path / "twin"
    twin.mkdir()
    model = world.make_model(twin)
    for block in model.transformer.h:
        block.mlp.c_proj.weight.zero_()
    weights = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    artefacts.save_tensors(weights, twin / "model.safetensors")
    result, *_ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [folders["exact"], folders["random"]],
        EVALUATION, 0, "cpu", twin_folder=twin,
    )  # fmt: skip
    document = json.loads(json.dumps(to_json(result), allow_nan=False))
    clean, exact = document["clean"], document["runs"]["exact"]
    assert exact["mlp_worth_kept"] == pytest.approx(1, abs=1e-4)
    worth = clean["ce_loss_without_mlp"] - clean["ce_loss_without_sae"]
    assert clean["mlp_worth_nats"] == pytest.approx(worth)
    assert clean["mlp_worth_nats_low"] < worth < clean["mlp_worth_nats_high"]
    for row in (document["runs"]["random"], document["baselines"]["token_table"]):
        assert row["mlp_worth_kept"] == pytest.approx(1 - row["ce_increase_nats"] / worth, abs=1e-6)
        assert row["mlp_worth_kept_low"] <= row["mlp_worth_kept"] <= row["mlp_worth_kept_high"]
