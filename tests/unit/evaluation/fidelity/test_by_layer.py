"""Fidelity by layer: which sites belong together, who is whose control, and that the control must fail."""

import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import by_layer
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.figures import fidelity_by_layer
from scripts.monosem.sae.model import load_sae
from scripts.monosem.workflow import plan
from tests.helpers import evaluation_world as world


def document(site: str, own: float, other: float, gap: float = 0.05) -> dict:
    def row(nats: float) -> dict:
        ends = {"ce_increase_nats_low": nats - 0.01, "ce_increase_nats_high": nats + 0.01}
        share = 1 - nats / gap
        return {
            "ce_increase_nats": nats, "ce_loss_score": share, "ce_loss_score_low": share, "ce_loss_score_high": share,
            "explained_variance": 0.5, "l0": 8.0, **ends,
        }  # fmt: skip

    baselines = {"zero_ablation": row(gap), "mean_ablation": row(gap), "other_layer_sae": row(other)}
    return {"site": site, "reference": "run", "runs": {"run": row(own)}, "baselines": baselines}


COLUMN = [
    document("blocks.10.mlp.hook_post", 0.01, 0.2),
    document("blocks.2.mlp.hook_post", 0.01, 0.02, gap=0.4),
    document("blocks.2.hook_resid_post", 0.01, 0.2),
]


def test_sites_that_differ_in_their_layer_alone_stand_in_order():
    (column,) = by_layer.columns(COLUMN)
    assert [entry["site"] for entry in column] == ["blocks.2.mlp.hook_post", "blocks.10.mlp.hook_post"]
    assert by_layer.columns(COLUMN[1:]) == []


def test_better_means_by_intervals_that_do_not_touch():
    assert by_layer.summary(by_layer.columns(COLUMN)[0]) == {
        "place": "mlp.hook_post",
        "least_gap_nats": 0.05, "greatest_gap_nats": 0.4, "n_layers": 2, "n_better": 1,
        "nats_at_lowest_share": 0.01, "nats_at_highest_share": 0.01,
    }  # fmt: skip


def test_the_control_is_the_next_layer_and_of_the_last_the_one_before():
    sites = [("m", f"blocks.{layer}.mlp.hook_post") for layer in (3, 0, 1)]
    sites += [("m", "blocks.2.hook_resid_post"), ("other", "blocks.5.mlp.hook_post"), ("m", "by.hand")]
    assert plan.neighbours_of(sites) == {
        ("m", "blocks.0.mlp.hook_post"): "blocks.1.mlp.hook_post",
        ("m", "blocks.1.mlp.hook_post"): "blocks.3.mlp.hook_post",
        ("m", "blocks.3.mlp.hook_post"): "blocks.1.mlp.hook_post",
    }


def test_the_autoencoder_of_another_layer_fails_where_the_own_one_is_exact(tmp_path):
    folders = world.make_world(tmp_path / "world", world.POST)
    digest = artefacts.sha256(folders["model"] / "model.safetensors")
    centre = load_sae(folders["random"]).b_dec
    other = world.make_sae(tmp_path / "other", "blocks.1.mlp.hook_post", digest, 7, b_dec=centre)
    settings = {"tokens": 1600, "bootstrap": 50, "reference": "exact"}
    result, *_ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [folders["exact"]], settings, 0, "cpu", other
    )
    result = to_json(result)
    control = result["baselines"]["other_layer_sae"]
    assert control["what"] == "the SAE of blocks.1.mlp.hook_post, applied here; at its own L0"
    assert abs(result["runs"]["exact"]["ce_increase_nats"]) < 1e-5 < 0.01 < control["ce_increase_nats"]


def test_an_autoencoder_of_another_model_is_no_control(tmp_path):
    folders = world.make_world(tmp_path / "world", world.POST)
    centre = load_sae(folders["random"]).b_dec
    other = world.make_sae(tmp_path / "other", "blocks.1.mlp.hook_post", "f" * 64, 7, b_dec=centre)
    settings = {"tokens": 600, "bootstrap": 10, "reference": "exact"}
    with pytest.raises(artefacts.ArtefactError, match="was trained on model"):
        fidelity_site.evaluate_site(
            folders["model"], folders["tokens"], folders["activations"], [], settings, 0, "cpu", other
        )


def test_the_figure_shows_nats_beside_every_share():
    left, right = fidelity_by_layer.layers(COLUMN).axes
    assert left.get_yscale() == "log" and {line.get_label() for line in left.lines} >= {"zero ablation (the gap)"}
    assert right.get_ylim()[0] == fidelity_by_layer.LEAST_SHARE  # a share of -3 leaves the axis instead of squeezing it
