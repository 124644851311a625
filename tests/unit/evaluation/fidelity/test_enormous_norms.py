"""A token of enormous norm, made by one row of the embedding: what is excluded, and fidelity with it and without."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scripts.monosem.activations import norms
from scripts.monosem.activations.store import open_activations
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import run as fidelity_run
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.models import sites, splice
from scripts.monosem.models.load import load_model
from scripts.monosem.reporting import tables
from scripts.monosem.sae.model import load_sae
from scripts.monosem.text.tokens import kept_positions, load_tokens
from tests.helpers import evaluation_world as world

EVALUATION = {"tokens": 2000, "bootstrap": 50, "reference": "random"}
EVERY = 301


def evaluate(folders):
    return fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [folders["random"]], EVALUATION, 0, "cpu"
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return world.make_world(tmp_path_factory.mktemp("huge"), world.RESIDUAL, world.enlarge, EVERY)


@pytest.fixture(scope="module")
def evaluated(folders):
    result, _, arrays = evaluate(folders)
    return result, arrays


def test_the_extraction_leaves_it_out_and_counts_it(folders):
    store = open_activations(folders["activations"])
    manifest, lengths = store.manifest, store.gather(np.arange(store.n_tokens)).norm(dim=1)
    assert manifest["n_excluded"] == 1000 - store.n_tokens > 0
    assert lengths.max() <= manifest["norm_limit"] == pytest.approx(10 * manifest["median_norm"])
    assert manifest["median_norm"] == pytest.approx(lengths.median().item(), rel=0.02)
    assert manifest["top_variance_share_with_excluded"] > 0.3 > 0.05 > manifest["top_variance_share"]


def test_nothing_is_excluded_where_it_is_kept_and_a_sentence_warns(tmp_path, capsys):
    folders = world.make_world(tmp_path, world.RESIDUAL, world.enlarge, 701, None)
    manifest = open_activations(folders["activations"]).manifest
    assert (manifest["n_tokens"], manifest["n_excluded"], manifest["norm_limit"]) == (1000, 0, None)
    result, *_ = evaluate(folders)
    assert result.norms.n_excluded == 0 and result.runs["random"].with_excluded is None
    assert "set activations.exclude_norm_above" in result.norms.warning
    assert result.norms.warning in capsys.readouterr().out
    assert result.norms.warning in tables.norms(to_json(result))


def test_fidelity_with_it_and_without_equals_a_plain_recomputation(folders, evaluated):
    result, arrays = evaluated
    model, sae = load_model(folders["model"]), load_sae(folders["random"])
    site, stream = sites.resolve(model, world.RESIDUAL), load_tokens(folders["tokens"], "test")
    starts = fidelity_run.windows(stream, world.CONTEXT, 2000, fidelity_run.derive_seed(0, "evaluation windows"))
    tokens = torch.from_numpy(stream.tokens[starts[:, None] + np.arange(world.CONTEXT)].astype(np.int64))
    kept = kept_positions(tokens, 0, True)
    enormous = kept & (tokens == world.ENORMOUS)
    assert np.array_equal(arrays["excluded"], enormous) and np.array_equal(arrays["kept"], kept)
    assert result.norms.n_excluded == int(enormous.sum()) > 0
    x, targets = sites.capture(model, site, tokens), tokens[:, 1:]
    np.testing.assert_allclose(arrays["norms"], x.norm(dim=-1), rtol=1e-5)
    row = result.runs["random"]
    for replaced, fidelity in ((kept & ~enormous, row.fidelity), (kept, row.with_excluded)):

        def reconstruct(x, replaced=replaced):
            f = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
            return torch.where(replaced[..., None], f @ sae.W_dec + sae.b_dec, x)

        logits = splice.run_spliced(model, site, tokens, reconstruct)[:, :-1]
        expected = F.cross_entropy(logits[kept[:, :-1]].double(), targets[kept[:, :-1]])
        assert fidelity.ce_loss_with_sae == pytest.approx(expected.item(), abs=1e-4)
        y, y_hat = x[replaced].double(), reconstruct(x)[replaced].double()
        explained = 1 - (y - y_hat).square().sum() / (y - y.mean(0)).square().sum()
        assert fidelity.explained_variance == pytest.approx(explained.item(), abs=1e-5)
    assert row.fidelity.ce_loss_without_sae == row.with_excluded.ce_loss_without_sae
    json.dumps(to_json(result), allow_nan=False)


def test_massive_activations_are_found_where_they_are(evaluated):
    massive = evaluated[0].norms.massive
    assert massive.n_tokens == 0 or massive.largest > 100
    assert evaluated[0].norms.largest > 10 * evaluated[0].norms.median


def test_the_share_of_the_largest_by_hand():
    assert norms.top_share([np.ones(999), np.array([1.0])]) == pytest.approx(0.001)
    assert norms.top_share([np.ones(999), np.array([999.0])]) == pytest.approx(0.5)
    assert norms.top_share([np.zeros(5)]) is None and norms.top_share([]) is None
    assert norms.warning(0.49, None) is None and "hold 51% of the variance" in norms.warning(0.51, 10)


def test_a_site_of_zeros_has_no_limit():
    assert norms.ordinary(torch.zeros(9, 4), 10.0).limit == float("inf")
