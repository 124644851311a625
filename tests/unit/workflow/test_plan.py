"""A configuration is resolved into what has to be built, and nothing else."""

import json

import pytest

from scripts.monosem.workflow import plan

ARCHITECTURE = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_inner": 32, "n_positions": 16}
POST = "blocks.0.mlp.hook_post"


@pytest.fixture
def config():
    return {
        "tokenizer": {"vocab_size": 300},
        "models": {
            "a": {"train": {"architecture": ARCHITECTURE}},
            "b": {"train": {"architecture": ARCHITECTURE}},
            "a-shuffled": {"shuffle": {"of": "a", "seed": 0}},
            "mini": {"train": {"architecture": ARCHITECTURE}},
            "gpt2": {"pretrained": {"name": "gpt2"}},
        },
        "chapters": {
            "one_layer": {"model": "a"},
            "language_model": {"model": "auto", "candidates": ["gpt2", "mini"]},
        },
        "activations": {"tokens": {"default": 100, "a": 1000}},
        "sae": {
            "runs": {"one": {"d_sae": 64}, "two": {"d_sae": 16}},
            "use": [
                {"model": "a", "site": POST, "runs": ["one"]},
                {"model": "chapters.language_model", "site": POST, "runs": ["two"]},
            ],
        },
        "evaluation": {"headline": {"model": "a", "site": POST, "run": "one"}},
        "interpretation": {"use": [{"model": "a", "site": POST, "run": "one"}] * 2},
    }


@pytest.fixture
def gpt2_folder(tmp_path, monkeypatch):
    """A hub cache in which GPT-2 lies."""
    folder = tmp_path / "models--openai-community--gpt2" / "snapshots" / "0123"
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    (folder / "config.json").write_text(json.dumps({"n_layer": 12, "n_embd": 768, "n_positions": 1024, "n_head": 12}))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return folder


def test_chapter_three_runs_on_the_first_candidate_that_is_here(config):
    made = plan.make_plan(config)
    assert made.language_model == "mini"
    assert made.models == {"a": "train", "mini": "train"}  # b, the shuffled model and gpt2 are not used
    assert made.sites == {("a", POST): ("one",), ("mini", POST): ("two",)}


def test_chapter_three_runs_on_gpt2_where_its_weights_are(config, gpt2_folder):
    made = plan.make_plan(config)
    assert made.language_model == "gpt2" and made.models["gpt2"] == "pretrained" and "mini" not in made.models
    assert plan.architecture(config, "gpt2")["n_layer"] == 12
    assert plan.tokenizer_of(config, "gpt2") == "gpt2"


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors", "tokenizer.json"])
def test_half_a_download_is_no_model(config, gpt2_folder, gone):
    (gpt2_folder / gone).unlink()
    assert plan.make_plan(config).language_model == "mini"


def test_what_is_asked_of_candidates_that_are_not_chosen_is_left_out(config, gpt2_folder):
    config["sae"]["use"] += [
        {"model": model, "site": "blocks.0.hook_resid_post", "runs": ["one"]} for model in ("gpt2", "mini")
    ]
    assert ("gpt2", "blocks.0.hook_resid_post") in plan.make_plan(config).sites
    assert [number for number, _ in plan.uses(config, "sae")] == [0, 1, 2]
    (gpt2_folder / "config.json").unlink()
    assert ("mini", "blocks.0.hook_resid_post") in plan.make_plan(config).sites
    assert [number for number, _ in plan.uses(config, "sae")] == [0, 1, 3]


def test_a_named_model_is_taken_whatever_is_on_this_machine(config, gpt2_folder):
    config["chapters"]["language_model"]["model"] = "mini"
    assert plan.make_plan(config).language_model == "mini"


def test_a_shuffled_model_brings_its_source_and_serves_as_control(config):
    config["sae"]["use"] = [
        {"model": "a-shuffled", "site": POST, "runs": ["one"]},
        {"model": "a", "site": POST, "runs": ["two", "one"]},
    ]
    made = plan.make_plan(config)
    assert list(made.models.items())[:2] == [("a", "train"), ("a-shuffled", "shuffle")]
    assert made.references == {("a-shuffled", POST): "one", ("a", POST): "one"}
    assert made.controls == {("a", POST): "a-shuffled"}


def test_no_control_without_the_reference_run(config):
    config["sae"]["use"] = [
        {"model": "a", "site": POST, "runs": ["one"]},
        {"model": "a-shuffled", "site": POST, "runs": ["two"]},
    ]
    assert plan.make_plan(config).controls == {}


def test_uses_of_one_site_are_merged(config):
    config["sae"]["use"] += [{"model": "a", "site": POST, "runs": ["two", "one"]}]
    assert plan.make_plan(config).sites["a", POST] == ("one", "two")
    assert plan.make_plan(config).interpreted == (("a", POST, "one"),)


def test_sites_that_are_listed_together_share_a_pass_and_no_other_site_does(config):
    mid, resid = "blocks.0.hook_resid_mid", "blocks.0.hook_resid_post"
    config["sae"]["use"] += [
        {"model": "mini", "site": [POST, mid, resid], "runs": ["one"]},  # the first is read by an entry above
        {"model": "b", "site": [resid, POST], "runs": ["one"]},
        {"model": "b", "site": mid, "runs": ["two"]},
    ]
    made = plan.make_plan(config)
    assert made.sites["mini", POST] == ("two", "one") and made.sites["mini", resid] == ("one",)
    assert made.passes == {("mini", mid): (resid,), ("b", resid): (POST,)}
    assert [made.reader_of("b", site) for site in (resid, POST, mid)] == [None, resid, None]
    assert made.reader_of("a", POST) is None


def test_trained_models_share_one_tokenizer(config):
    assert {plan.tokenizer_of(config, model) for model in ("a", "b", "a-shuffled")} == {"bpe-300"}


def test_disk_need_is_rows_and_weights(config):
    rows = (1000 + 100) * (2 * 32 + 2)  # two bytes per number, two for the position
    weights = 4 * (64 + 16) * (2 * 32 + 2)  # encoder, decoder, and at most two biases per latent
    assert plan.disk_need_bytes(config, plan.make_plan(config)) == rows + weights
