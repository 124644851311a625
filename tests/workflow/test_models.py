"""Models of a user's own, from the configuration to the folder in results/."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from tests.helpers import family_models, gguf_files

POST = "blocks.0.mlp.hook_post"
SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2}


def overlay(model: dict, **more) -> str:
    """A configuration over the smoke test's that trains an autoencoder on one more model."""
    smoke = yaml.safe_load(open("tests/smoke.yaml", encoding="utf-8"))
    use = [*smoke["sae"]["use"], {"model": "mine", "site": POST, "runs": ["topk-256"]}]
    return yaml.safe_dump({**smoke, "models": {**smoke["models"], "mine": model}, "sae": {**smoke["sae"], "use": use}})


def put_model(folder: Path) -> None:
    """A Llama of 50 tokens with its tokenizer, in one file of weights."""
    family_models.model("llama").save_pretrained(folder)
    family_models.save_tokenizer(folder)


def is_made_again(done, rule: str) -> bool:
    """True if a dry run would run a rule; it must not have failed."""
    assert done.returncode == 0, done.stdout[-3000:]
    return bool(re.search(rf"^{rule} +1$", done.stdout, re.M))


def exchange(path: Path, text: bytes) -> None:
    """Put another file in the place of one, with a date before every result's."""
    other = path.with_name("other")
    other.write_bytes(text)
    os.utime(other, (1e9, 1e9))
    other.rename(path)


def test_what_is_outside_the_checkout_is_compared_by_content(checkout, snakemake, tmp_path):
    model, texts = tmp_path / "model", tmp_path / "texts"
    put_model(model)
    texts.mkdir()
    for number in range(40):
        (texts / f"{number}.txt").write_text(f"A text of its own, the {number}th of them. " * number)
    configuration = yaml.safe_load(overlay({"pretrained": {"name": str(model)}}))
    configuration["corpus"] |= {"folder": str(texts), "name": "own", "split": SPLIT}
    (checkout / "own.yaml").write_text(yaml.safe_dump(configuration))
    targets = "results/data/own/documents.jsonl", "results/models/mine/training.json"

    def call(*words):
        return snakemake(checkout, *targets, *words, configfile="own.yaml")

    assert call().returncode == 0 and "Nothing to be done" in call("-n").stdout
    for path in (*texts.iterdir(), *model.iterdir()):
        os.utime(path)
    assert "Nothing to be done" in call("-n").stdout
    exchange(model / "config.json", (model / "config.json").read_bytes() + b" ")
    (texts / "3.txt").rename(texts / "3b.txt")
    done = call("-n")
    assert is_made_again(done, "link_language_model") and is_made_again(done, "build_corpus")
    assert call().returncode == 0 and "Nothing to be done" in call("-n").stdout


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


def test_files_that_do_not_belong_together_are_refused_before_any_job(checkout, snakemake, tmp_path):
    put_model(tmp_path)
    family_models.save_tokenizer(tmp_path, 257)
    (checkout / "mine.yaml").write_text(overlay({"pretrained": {"name": str(tmp_path)}}))
    done = snakemake(checkout, "-n", configfile="mine.yaml")
    assert done.returncode == 1 and "The configuration cannot be run. models.mine: " in done.stdout
    assert "has the id" in done.stdout and "has 50 rows" in done.stdout and "Traceback" not in done.stdout
