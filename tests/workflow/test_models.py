"""Models of a user's own, from the configuration to the folder in results/."""

import json

import pytest
import yaml

from tests.helpers import family_models, gguf_files

POST = "blocks.0.mlp.hook_post"


def overlay(model: dict, **more) -> str:
    """A configuration over the smoke test's that trains an autoencoder on one more model."""
    smoke = yaml.safe_load(open("tests/smoke.yaml", encoding="utf-8"))
    use = [*smoke["sae"]["use"], {"model": "mine", "site": POST, "runs": ["topk-256"]}]
    return yaml.safe_dump({**smoke, "models": {**smoke["models"], "mine": model}, "sae": {**smoke["sae"], "use": use}})


@pytest.fixture(scope="module")
def checkout(fresh):
    return fresh()


def test_a_gguf_file_becomes_a_model_folder(checkout, snakemake, tmp_path):
    gguf_files.write(family_models.model("llama"), "llama", tmp_path / "small.gguf")
    pretrained = {"gguf": str(tmp_path / "small.gguf"), "attention_across_documents": True}
    (checkout / "mine.yaml").write_text(overlay({"pretrained": pretrained}))
    done = snakemake(checkout, "results/models/mine/training.json", configfile="mine.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    folder = checkout / "results" / "models" / "mine"
    summary, config = (json.loads((folder / name).read_text()) for name in ("training.json", "config.json"))
    assert summary["kind"] == "pretrained" and summary["gguf"]["quantisation"].keys() == {"F32"}
    assert summary["files_sha256"] == {"small.gguf": summary["gguf"]["sha256"]}
    assert config["model_type"] == "llama" and config["monosem"] == {"attention_across_documents": True}
    assert (folder / "tokenizer.json").is_file() and (folder / "tokenizer_config.json").is_file()
    assert (
        "Nothing to be done" in snakemake(checkout, "results/models/mine/training.json", configfile="mine.yaml").stdout
    )
