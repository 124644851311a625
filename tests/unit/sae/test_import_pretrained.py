"""Pretrained autoencoders: the same numbers as in the library that trained them, folded conventions, plain refusals."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.sae import convert, foreign, formats, import_pretrained, saelens
from scripts.monosem.sae.config import from_params
from scripts.monosem.sae.model import decode, encode, from_tensors, load_sae
from scripts.monosem.sae.training import loop
from scripts.monosem.workflow import validate
from scripts.monosem.workflow.checks import pretrained_saes
from scripts.monosem.workflow.validate import ConfigError
from tests.helpers.evaluation_world import CONTEXT, POST, RESIDUAL, make_world

READING = {"context": CONTEXT, "drop_first_position": True, "norm_limit": 123.0}
EVALUATION = {"tokens": 600, "bootstrap": 20, "reference": "run", "sweeps": {}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), POST)


def sha(world) -> str:
    return artefacts.sha256(world["model"] / "model.safetensors")


def train(world, folder: Path, **params) -> Path:
    """Train as the rule train_sae does."""
    from scripts.monosem.activations.store import open_activations

    activations = open_activations(world["activations"])
    config = from_params({"d_sae": 96, "vectors": 4000, "batch_size": 200, "precision": "float32", **params})
    weights, summary = loop.train(activations, config, 0, folder / "checkpoint", folder / "training.jsonl")
    cfg = saelens.saelens_cfg(config, summary, activations.manifest, "model", POST, "run")
    assert cfg["metadata"]["norm_limit"] == activations.manifest["norm_limit"] > 0
    saelens.save_sae(weights, cfg, folder / "sae_weights.safetensors", folder / "cfg.json")
    return folder


def imported(world, folder: Path, target: Path, site: str = POST, **options) -> Path:
    """Import as the rule import_sae does."""
    source = {"name": "another", "centred": False, **options}
    names = {"model": "model", "site": site, "run": "run"}
    cfg, tensors, _ = import_pretrained.import_pretrained(folder, source, sha(world), READING, names)
    saelens.save_sae(tensors, cfg, target / "sae_weights.safetensors", target / "cfg.json")
    return target


def evaluate(world, sae: Path) -> tuple[dict, dict]:
    result, densities, _ = fidelity_site.evaluate_site(
        world["model"], world["tokens"], world["activations"], [sae], EVALUATION, 0, "cpu"
    )
    return to_json(result), densities


@pytest.mark.parametrize(
    "params",
    [
        {"architecture": "topk", "k": 4},
        {"architecture": "relu", "l1_coefficient": 0.5},
        {"architecture": "batchtopk", "k": 4},
        {"architecture": "gated", "l1_coefficient": 0.5},
    ],
    ids=lambda params: params["architecture"],
)
def test_a_trained_run_handed_in_as_pretrained_has_the_same_fidelity_to_the_last_digit(world, tmp_path, params):
    (tmp_path / "trained" / "run").mkdir(parents=True)
    trained = train(world, tmp_path / "trained" / "run", **params)
    target = imported(world, trained, tmp_path / "imported" / "run")
    (here, densities), (there, their_densities) = evaluate(world, trained), evaluate(world, target)
    assert here == there and here["runs"]["run"]["architecture"] == params["architecture"]
    assert all((densities[key] == their_densities[key]).all() for key in densities)


def test_an_imported_one_names_its_origin(world, tmp_path):
    target = imported(world, world["random"], tmp_path / "run")
    metadata = artefacts.read_json(target / "cfg.json")["metadata"]
    assert metadata["norm_limit"] == 123.0 == load_sae(target).norm_limit  # the site's, whatever its files say
    origin = metadata["pretrained"]
    assert origin["name"] == "another" and origin["declared_hook"] == POST
    assert origin["files_sha256"]["sae_weights.safetensors"] == artefacts.sha256(
        world["random"] / "sae_weights.safetensors"
    )


def test_another_model_of_the_same_name_is_refused_by_its_hash(world, tmp_path):
    folder = shutil.copytree(world["random"], tmp_path / "sae")
    cfg = artefacts.read_json(folder / "cfg.json")
    cfg["metadata"]["model_sha256"] = "f" * 64
    artefacts.write_json(cfg, folder / "cfg.json")
    with pytest.raises(artefacts.ArtefactError, match=f"sha256 ffffffffffff, the model here has {sha(world)[:12]}"):
        imported(world, folder, tmp_path / "run")


def tensors(d_in=8, d_sae=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    W_dec = torch.nn.functional.normalize(torch.randn(d_sae, d_in, generator=g), dim=-1)
    draw = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "b_dec": (d_in,)}
    return {name: torch.randn(shape, generator=g) for name, shape in draw.items()} | {"W_dec": W_dec}


ARCHITECTURES = {
    "standard": {},
    "topk": {},
    "jumprelu": {"threshold": torch.rand(24, generator=torch.Generator().manual_seed(3))},
    "gated": {
        name: torch.randn(24, generator=torch.Generator().manual_seed(i))
        for i, name in enumerate(("b_gate", "r_mag", "b_mag"))
    },
}


def sae_of(architecture: str, weights: dict) -> object:
    if architecture == "gated":
        weights = {name: tensor for name, tensor in weights.items() if name != "b_enc"}
    return from_tensors({"architecture": architecture, "k": 3}, weights)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folded_scale_is_the_scaled_input(architecture):
    t, x, scale = tensors() | ARCHITECTURES[architecture], torch.randn(40, 8), 1.7
    theirs, ours = sae_of(architecture, t), sae_of(architecture, foreign.unscaled(t, scale))
    f = encode(theirs, scale * x)
    torch.testing.assert_close(encode(ours, x), f / scale, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(decode(ours, encode(ours, x)), decode(theirs, f) / scale, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folded_centring_is_the_centred_input(architecture):
    t, x = tensors() | ARCHITECTURES[architecture], torch.randn(40, 8) + 3
    theirs, ours = sae_of(architecture, t), sae_of(architecture, foreign.centring(t))
    centred = x - x.mean(1, keepdim=True)
    torch.testing.assert_close(encode(ours, x), encode(theirs, centred), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(encode(theirs, x), encode(theirs, centred))  # not folded, it would matter
    torch.testing.assert_close(decode(ours, encode(ours, x)), decode(theirs, encode(theirs, centred)))


def test_what_is_centred_means_nothing_to_the_model_behind_it(tmp_path):
    """The exact autoencoder [I, -I] on the centred stream: LayerNorm takes the mean away, so no loss is added."""
    world = make_world(tmp_path / "world", RESIDUAL)
    target = imported(world, world["exact"], tmp_path / "run", site=RESIDUAL, centred=True)
    row = evaluate(world, target)[0]["runs"]["run"]
    assert abs(row["ce_increase_nats"]) < 1e-4 and row["explained_variance"] < 0.999


def legacy(**more) -> dict:
    """cfg.json as SAELens wrote it before version 6."""
    return {
        "model_name": "gpt2-small", "hook_point": "blocks.1.hook_resid_pre", "hook_point_layer": 1,
        "hook_point_head_index": None, "dataset_path": "text", "context_size": 128, "d_in": 8, "d_sae": 24,
        "dtype": "torch.float32", "device": "mps", "normalize_activations": False, **more,
    }  # fmt: skip


def write(folder: Path, cfg: dict, weights: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(cfg))
    artefacts.save_tensors(weights, folder / "sae_weights.safetensors")
    return folder


def test_fields_of_old_versions(tmp_path):
    t, x = tensors(), torch.randn(20, 8)
    declared = formats.read(write(tmp_path, legacy(), t | {"scaling_factor": torch.ones(24)}))
    assert (declared.d_in, declared.d_sae, declared.model, declared.hook) == (
        8,
        24,
        "gpt2-small",
        "blocks.1.hook_resid_pre",
    )
    z = (x - t["b_dec"]) @ t["W_enc"] + t["b_enc"]
    torch.testing.assert_close(encode(convert.load(tmp_path), x), z.relu())
    write(tmp_path, legacy(activation_fn_str="topk", activation_fn_kwargs={"k": 5}, apply_b_dec_to_input=False), t)
    sae = convert.load(tmp_path)
    assert sae.k == 5
    torch.testing.assert_close((encode(sae, x) > 0).sum(1), ((x @ t["W_enc"] + t["b_enc"]).topk(5).values > 0).sum(1))
    write(tmp_path, legacy(model_from_pretrained_kwargs={"center_writing_weights": True}), t)
    assert formats.read(tmp_path).centred


@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"normalize_activations": "layer_norm"}, "normalize_activations is 'layer_norm', which differs from vector"),
        ({"normalize_activations": "constant_norm_rescale"}, "can be folded into the weights"),
        ({"activation_fn": "tanh-relu"}, "activation_fn is 'tanh-relu'; only 'relu' or 'topk'"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor is True"),
        ({"reshape_activations": "hook_z"}, "reshape_activations is 'hook_z'"),
        ({"hook_point_head_index": 3}, "hook_head_index is 3"),
        ({"architecture": "transcoder"}, "architecture 'transcoder' is none of standard, topk, jumprelu, gated"),
    ],
)
def test_what_cannot_be_expressed_is_refused(tmp_path, more, sentence):
    with pytest.raises(artefacts.ArtefactError, match=sentence):
        formats.read(write(tmp_path, legacy(**more), tensors()))


def test_an_average_that_is_not_folded_needs_its_factor(tmp_path):
    folder = write(tmp_path, legacy(normalize_activations="expected_average_only_in"), tensors())
    with pytest.raises(artefacts.ArtefactError, match="need the norm_scaling_factor of the release"):
        foreign.read(folder)
    assert torch.equal(foreign.read(folder, 2.0)[1]["b_dec"], tensors()["b_dec"] / 2)


def test_names_of_one_model():
    assert formats.same_model("gpt2-small", ("mine", "openai-community/gpt2"))
    assert formats.same_model("EleutherAI/pythia-70m", ("Pythia-70m",))
    assert not formats.same_model("gpt2-medium", ("gpt2",))


# in the configuration: refused while the workflow is parsed
SITE = "blocks.2.hook_resid_post"
VALID = yaml.safe_load(Path("tests/workflow/valid.yaml").read_text(encoding="utf-8"))


def configured(source: dict, **extra) -> dict:
    config = copy.deepcopy(VALID)
    config["sae"]["runs"]["other"] = {"pretrained": source, **extra}
    config["sae"]["use"][2]["runs"] = ["topk-4096", "other"]
    return config


def check(config: dict) -> None:
    validate.check(config)


def fitting(folder: Path, **more) -> Path:
    return write(folder, legacy(model_name="gpt2-mini", hook_point=SITE, d_in=128, **more), tensors(128))


def test_one_that_fits_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    fitting(tmp_path / "mine" / "layer")
    config = configured({"name": str(tmp_path / "mine"), "subfolder": "layer"})
    check(config)
    run = config["sae"]["runs"]["other"]
    assert pretrained_saes.d_sae(run) == 24
    assert pretrained_saes.resolved(run, SITE)["folder"] == str(tmp_path / "mine" / "layer")

    snapshot = tmp_path / "cache" / "models--someone--saes" / "snapshots" / "abc"
    fitting(snapshot / SITE)
    in_cache = configured({"name": "someone/saes", "subfolder": SITE, "revision": "abc"})
    check(in_cache)
    assert pretrained_saes.resolved(in_cache["sae"]["runs"]["other"], SITE)["snapshot"] == "abc"


REFUSED = {
    "width": ({"d_in": 64}, {}, f"reads vectors of width 64 (cfg.json), '{SITE}' of 'gpt2-mini' is 128 wide"),
    "hook": (
        {"hook_point": "blocks.1.hook_resid_post"}, {},
        f"sae.use puts it at '{SITE}'; give it its own site, or say hook_name: {SITE} if they are one",
    ),
    "model": (
        {"model_name": "gpt2-small"}, {},
        "the autoencoder was trained on 'gpt2-small', sae.use puts it on 'gpt2-mini'",
    ),
    "no model": ({"model_name": None}, {}, "does not say which model the autoencoder was trained on; write it here"),
    "no hook": ({"hook_point": None}, {}, "does not say at which hook the autoencoder reads; write it here"),
    "average": (
        {"normalize_activations": "expected_average_only_in"}, {}, "pretrained.norm_scaling_factor is missing",
    ),
    "normalisation": ({"normalize_activations": "layer_norm"}, {}, "normalize_activations is 'layer_norm'"),
    "key": ({}, {"subfoldr": "x"}, "sae.runs.other.pretrained.subfoldr is no known key; did you mean 'subfolder'?"),
}  # fmt: skip


@pytest.mark.parametrize("cfg, source, sentence", REFUSED.values(), ids=REFUSED)
def test_a_mismatch_is_refused_with_both_values(tmp_path, cfg, source, sentence):
    cfg = {"model_name": "gpt2-mini", "hook_point": SITE, "d_in": 128} | cfg
    write(tmp_path, legacy(**cfg), tensors(cfg["d_in"]))
    with pytest.raises(ConfigError) as caught:
        check(configured({"name": str(tmp_path), **source}))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_what_its_files_do_not_say_can_be_stated(tmp_path):
    write(tmp_path, legacy(model_name=None, hook_point=None, d_in=128), tensors(128))
    check(configured({"name": str(tmp_path), "model_name": "gpt2-mini", "hook_name": SITE}))


def test_a_missing_folder_is_named_with_what_to_do():
    with pytest.raises(ConfigError) as caught:
        check(configured({"name": "nobody/nothing", "subfolder": "layer", "revision": "v1"}))
    assert str(caught.value).startswith("sae.runs.other.pretrained.name: 'nobody/nothing/layer' is neither a folder")
    assert "python -m scripts.fetch_model nobody/nothing --sae layer --revision v1" in str(caught.value)


def test_parameters_of_training_beside_a_pretrained_one_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"sae.runs.other.k: a pretrained autoencoder has no parameters of training"):
        check(configured({"name": str(tmp_path)}, k=3))


def test_imported_files_load_as_the_original(world, tmp_path):
    sae = load_sae(imported(world, world["random"], tmp_path / "run"), sha(world))
    x = torch.randn(30, sae.d_in)
    assert torch.equal(encode(sae, x), encode(load_sae(world["random"]), x))
