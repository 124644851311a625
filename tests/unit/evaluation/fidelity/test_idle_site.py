"""A site where ablation changes nothing: its shares are not defined, and nothing fails."""

import json

import pytest

from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.figures import fidelity as figures
from scripts.monosem.reporting import tables
from tests.helpers import evaluation_world as world

SHARES = ("ce_loss_score", "ce_loss_score_low", "ce_loss_score_high", "kl_div_score")


def without_output(model):
    for parameter in model.transformer.h[0].mlp.c_proj.parameters():
        parameter.zero_()


@pytest.mark.parametrize("site", [world.POST, "blocks.0.hook_mlp_out"])
def test_an_mlp_that_writes_nothing(tmp_path, site):
    folders = world.make_world(tmp_path, site, without_output)
    result, *_ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [folders["exact"], folders["random"]],
        {"tokens": 800, "bootstrap": 20}, 0, "cpu",
    )  # fmt: skip
    document = json.loads(json.dumps(to_json(result), allow_nan=False))
    rows = document["runs"] | document["baselines"]
    shares = [name for name, row in rows.items() if any(row[share] is not None for share in SHARES)]
    if site == world.POST:
        assert shares == [] and document["identities"]["identity_recovered"] is None
        assert document["runs"]["exact"]["explained_variance"] == pytest.approx(1)
        assert abs(document["runs"]["random"]["ce_increase_nats"]) < 1e-6
    else:  # here ablation changes nothing, but an autoencoder writes something
        assert document["runs"]["exact"]["explained_variance"] is None
        assert document["runs"]["exact"]["ce_loss_score"] is None
    assert "not defined" in tables.saes(document)
    assert "not defined" in tables.baselines(document, "random")
    figures.baselines(document, "random")
    figures.sites([document])
