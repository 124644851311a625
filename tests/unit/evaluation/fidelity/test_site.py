"""Fidelity of autoencoders in a tiny model: known answers, independent recomputation, refusals."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.fidelity import run as fidelity_run
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.evaluation.fidelity.batch import Settings
from scripts.monosem.evaluation.fidelity.document import SiteFidelity
from scripts.monosem.evaluation.fidelity.identities import IdentityViolated
from scripts.monosem.evaluation.fidelity.summary import ratios
from scripts.monosem.models import sites, splice
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import load_sae
from scripts.monosem.text.tokens import kept_positions, load_tokens
from scripts.monosem.workflow.checks.autoencoders import NOT_RUNS
from tests.helpers import evaluation_world as world

EVALUATION = {"tokens": 1600, "bootstrap": 200, "reference": "random"}


@pytest.fixture(scope="module", params=[world.POST, world.RESIDUAL])
def folders(request, tmp_path_factory):
    return world.make_world(tmp_path_factory.mktemp("world"), request.param)


@pytest.fixture(scope="module")
def evaluated(folders):
    saes = [folders["exact"], folders["random"]]
    result, densities, _ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], saes, EVALUATION, 0, "cpu"
    )
    return json.loads(json.dumps(to_json(result), allow_nan=False)), densities


def test_the_document_comes_back_from_json(evaluated):
    assert to_json(from_json(SiteFidelity, evaluated[0])) == evaluated[0]


def test_an_exact_autoencoder_is_perfect(evaluated):
    run = evaluated[0]["runs"]["exact"]
    assert run["explained_variance"] == pytest.approx(1, abs=1e-9)
    assert run["mse"] == pytest.approx(0, abs=1e-9)
    assert run["cossim"] == pytest.approx(1) and run["l2_ratio"] == pytest.approx(1)
    assert run["ce_loss_score"] == pytest.approx(1, abs=1e-5)
    assert abs(run["ce_increase_nats"]) < 1e-5 and abs(run["kl_div_with_sae"]) < 1e-5
    assert run["kl_div_score"] == pytest.approx(1, abs=1e-4)


def test_ablations_have_their_closed_forms(evaluated):
    zero, mean = (evaluated[0]["baselines"][name] for name in ("zero_ablation", "mean_ablation"))
    assert zero["ce_loss_score"] == 0 and zero["kl_div_score"] == 0 and zero["l0"] == 0
    assert zero["ce_loss_with_sae"] == zero["ce_loss_with_ablation"]
    assert zero["l2_ratio"] == 0 and zero["relative_reconstruction_bias"] is None
    assert mean["ce_loss_score_mean_ablation"] == 0
    assert abs(mean["explained_variance"]) < 0.02  # the training mean is nearly the test mean
    assert mean["ce_loss_with_sae"] == zero["ce_loss_with_mean_ablation"]


def test_loss_equals_a_plain_recomputation(folders, evaluated):
    """Whole-logit cross-entropy and divergence over the same windows, written out independently."""
    result = evaluated[0]
    model, sae = load_model(folders["model"]), load_sae(folders["random"])
    site, stream = sites.resolve(model, result["site"]), load_tokens(folders["tokens"], "test")
    n_windows = 1600 // world.CONTEXT
    assert len(stream.tokens) // world.CONTEXT >= n_windows
    everything = torch.from_numpy(
        stream.tokens[: len(stream.tokens) // world.CONTEXT * world.CONTEXT].astype(np.int64)
    ).view(-1, world.CONTEXT)
    seed = fidelity_run.derive_seed(0, "evaluation windows")
    order = fidelity_run.windows(stream, world.CONTEXT, 1600, seed) // world.CONTEXT
    tokens = everything[torch.from_numpy(order)]
    kept = kept_positions(tokens, 0, True)

    def reconstruct(x):
        f = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
        return torch.where(kept[..., None], f @ sae.W_dec + sae.b_dec, x)

    clean = splice.run_spliced(model, site, tokens, None).double().log_softmax(-1)[:, :-1]
    spliced = splice.run_spliced(model, site, tokens, reconstruct).double().log_softmax(-1)[:, :-1]
    scored = kept[:, :-1]
    run = result["runs"]["random"]
    expected = F.nll_loss(spliced[scored], tokens[:, 1:][scored]).item()
    assert run["ce_loss_with_sae"] == pytest.approx(expected, abs=1e-5)
    expected = F.nll_loss(clean[scored], tokens[:, 1:][scored]).item()
    assert run["ce_loss_without_sae"] == pytest.approx(expected, abs=1e-5)
    divergence = (clean.exp() * (clean - spliced)).sum(-1)[scored].mean().item()
    assert run["kl_div_with_sae"] == pytest.approx(divergence, abs=1e-5)
    x = sites.capture(model, site, tokens)
    x, x_hat = x[kept].double(), reconstruct(x)[kept].double()
    ev = 1 - (x - x_hat).square().sum() / (x - x.mean(0)).square().sum()
    assert run["explained_variance"] == pytest.approx(ev.item(), abs=1e-5)
    assert result["n_tokens"] == int(kept.sum()) and result["n_scored_tokens"] == int(scored.sum())


def test_identities_were_checked_in_the_run(evaluated):
    identities = evaluated[0]["identities"]
    assert identities["sae_plus_error_ce_change_nats"] < 1e-5
    assert identities["zero_reconstruction_recovered"] == 0
    assert identities["identity_recovered"] == pytest.approx(1, abs=1e-4)


def test_baselines_spend_the_reference_l0(evaluated):
    result = evaluated[0]
    l0 = result["runs"]["random"]["l0"]
    for name in ("top_neurons_about_mean", "pca"):
        assert result["baselines"][name]["l0"] == pytest.approx(min(l0, result["runs"]["random"]["d_in"]), rel=0.15)
    assert result["reference"] == "random"


def test_intervals_hold_their_value(evaluated):
    for part in [*evaluated[0]["runs"].values(), *evaluated[0]["baselines"].values()]:
        for metric in ("explained_variance", "l0", "ce_loss_score", "ce_increase_nats", "kl_div_with_sae"):
            assert part[f"{metric}_low"] - 1e-9 <= part[metric] <= part[f"{metric}_high"] + 1e-9
    run = evaluated[0]["runs"]["random"]
    assert run["ce_increase_nats_low"] < run["ce_increase_nats_high"]


def test_densities_agree_with_l0(evaluated):
    result, densities = evaluated
    for name in ("exact", "random"):
        assert densities[f"{name}.density"].sum() == pytest.approx(result["runs"][name]["l0"], rel=1e-5)
        assert result["runs"][name]["frac_alive"] == pytest.approx((densities[f"{name}.density"] > 0).mean())
    random = result["baselines"]["random_dictionary"]
    assert 0 < random["frac_alive"] <= 1 and 0 <= random["freq_over_1_percent"] <= random["frac_alive"]
    assert "frac_alive" not in result["baselines"]["top_neurons"]  # neurons are no dictionary
    assert densities["exact.encoder_decoder_cosine_sim"] == pytest.approx(np.ones(len(densities["exact.density"])))


def test_results_do_not_depend_on_batching(folders):
    model, sae = load_model(folders["model"]), load_sae(folders["random"])
    site = sites.resolve(model, json.loads((folders["activations"] / "manifest.json").read_text())["site"])
    stream = load_tokens(folders["tokens"], "test")

    def losses(batch_size):
        settings = Settings(800, 10, world.CONTEXT, True, 0, batch_size)
        evaluated = fidelity_run.evaluate(model, site, stream, {"random": sae}, {}, torch.zeros(site.d), settings)
        return {name: column.sum() for name, column in evaluated.sums.tallies["random"].documents.items()}

    assert losses(3) == pytest.approx(losses(16), rel=1e-5)


def test_a_site_without_autoencoders_still_has_its_ablations(folders):
    result, densities, _ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [], EVALUATION, 0, "cpu"
    )
    assert result.runs == {} and set(result.baselines) == {"zero_ablation", "mean_ablation"}
    assert list(densities) == ["n_tokens"]


def test_the_split_is_test_unless_another_is_named(folders):
    def scored(**more):
        return fidelity_site.evaluate_site(
            folders["model"], folders["tokens"], folders["activations"], [], EVALUATION | more, 0, "cpu"
        )[0]

    unnamed, test, validation = scored(), scored(split="test"), scored(split="validation")
    assert (unnamed.split, test.split, validation.split) == ("test", "test", "validation")
    assert unnamed.clean == test.clean != validation.clean


def test_a_text_of_one_window_has_numbers_and_no_interval_where_nothing_is_left(folders):
    """A document whose only token is the last of the window has none that is scored."""
    result, *_ = fidelity_site.evaluate_site(
        folders["model"], folders["tokens"], folders["activations"], [folders["random"]],
        EVALUATION | {"tokens": 1, "bootstrap": 20}, 0, "cpu",
    )  # fmt: skip
    document = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert document["clean"]["ce_loss_without_sae"] > 0 and document["n_documents"] > 1
    assert document["clean"]["ce_loss_without_sae_low"] is None


def test_no_run_has_the_name_of_a_baseline(evaluated):
    """A name with an underscore is no run's; all others are refused by the configuration."""
    beside = {*evaluated[0]["baselines"], "clean", "twin", "neurons"}
    assert {name for name in beside if "_" not in name} == set(NOT_RUNS)


def test_a_broken_identity_stops_the_run(folders, monkeypatch):
    real = splice.run_suffix
    monkeypatch.setattr(splice, "run_suffix", lambda *arguments: real(*arguments) * 1.5)
    with pytest.raises(IdentityViolated):
        fidelity_site.evaluate_site(
            folders["model"], folders["tokens"], folders["activations"], [folders["random"]], EVALUATION, 0, "cpu"
        )


def test_an_autoencoder_of_another_site_is_refused(folders, tmp_path):
    sae = load_sae(folders["random"])
    digest = artefacts.sha256(folders["model"] / "model.safetensors")
    other = world.make_sae(tmp_path / "foreign", "blocks.1.hook_mlp_out", digest, 1, b_dec=sae.b_dec)
    with pytest.raises(artefacts.ArtefactError, match=r"foreign/cfg.json.*blocks.1.hook_mlp_out"):
        fidelity_site.evaluate_site(
            folders["model"], folders["tokens"], folders["activations"], [other], EVALUATION, 0, "cpu"
        )


def test_activations_of_another_model_are_refused(folders, tmp_path):
    weights = artefacts.load_tensors(folders["model"] / "model.safetensors")
    weights["transformer.wpe.weight"] = weights["transformer.wpe.weight"] + 1
    artefacts.save_tensors(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((folders["model"] / "config.json").read_text())
    with pytest.raises(artefacts.ArtefactError, match="another model"):
        fidelity_site.evaluate_site(tmp_path, folders["tokens"], folders["activations"], [], EVALUATION, 0, "cpu")


def test_loss_recovered_is_a_ratio_of_pooled_means():
    def column(loss):
        return {
            "squared_error": np.array(1.0), "variance": np.array(2.0), "l0": np.array(4.0), "n": np.array(2.0),
            "loss": np.array(loss), "kl": np.array(0.0),
        }  # fmt: skip

    clean = {"loss": np.array(2.0 + 1), "n_scored": np.array(2.0)}
    result = ratios(column(3.0 + 1.5), clean, column(5.0 + 2))
    assert result["ce_loss_score"] == pytest.approx(0.625)
    assert result["l0"] == 2 and result["explained_variance"] == 0.5
