"""Language models that come with the checkout, so that a run need not train them.

    recipe.json                   everything that they depend on, and the sha256 of every file
    held-out.npz                  documents that none of them was trained on (text/held_out.py)
    tokenizer.json, tokenizer_config.json
    <model>/model.safetensors     weights in float16; config.json, training.json, training.jsonl

`python -m scripts.ship_models` writes such a folder from finished results.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.text.held_out import FILE as HELD_OUT

RECIPE = "recipe.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
WEIGHTS, SUMMARY, CURVE = "model.safetensors", "training.json", "training.jsonl"
MODEL = ("config.json", WEIGHTS, SUMMARY, CURVE)


def files_of(model: str) -> list[str]:
    """Files of one model, relative to the folder."""
    return [f"{model}/{name}" for name in MODEL]


def recipe(folder: str | Path) -> dict[str, Any]:
    """Everything that the models in a folder depend on: `corpus`, `tokenizer`, `seed`, and `train` of every model.

    Raises: ArtefactError for a missing or damaged file.
    """
    return artefacts.read_json(Path(folder) / RECIPE)


def require(folder: str | Path, name: str) -> Path:
    """Path of a file of the folder that is the one which the recipe names.

    Raises: ArtefactError for a file that is missing, or differs.
    """
    path = Path(folder) / name
    if not path.is_file():
        raise artefacts.ArtefactError(f"{path} is missing: `git checkout -- {folder}` brings it back")
    if artefacts.sha256(path) != recipe(folder)["sha256"].get(name):
        raise artefacts.ArtefactError(
            f"{path} is not the file that {RECIPE} beside it names: `git checkout -- {folder}` brings it back"
        )
    return path


def load_weights(folder: str | Path, model: str) -> dict:
    """Tensors of a model by their names, float32.

    Raises: ArtefactError for a file that is missing, or differs from the recipe.
    """
    return {key: value.float() for key, value in artefacts.load_tensors(require(folder, f"{model}/{WEIGHTS}")).items()}


def ship(results: Path, corpus: str, models: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write models of finished results to a folder that has its list of held-out documents, and return the recipe.

    Weights are rounded to float16.

    Raises: ArtefactError for a model that was not trained, or whose weights float16 cannot hold.
    """
    data, sha256, train = results / "data" / corpus, {}, {}
    manifest = artefacts.read_json(data / "manifest.json")
    for model in models:
        source, target = results / "models" / model, folder / model
        summary = artefacts.read_json(source / SUMMARY)
        if summary["kind"] != "trained":
            raise artefacts.ArtefactError(f"{source}: expected a model that was trained, this one is {summary['kind']}")
        weights = {key: value.half() for key, value in artefacts.load_tensors(source / WEIGHTS).items()}
        if too_large := [key for key, value in weights.items() if not bool(value.isfinite().all())]:
            raise artefacts.ArtefactError(f"{source / WEIGHTS}: {too_large[0]} has values that float16 cannot hold")
        target.mkdir(parents=True, exist_ok=True)
        artefacts.save_tensors(weights, target / WEIGHTS, {"format": "pt"})
        artefacts.write_json(summary, target / SUMMARY)
        for name in ("config.json", CURVE):
            shutil.copyfile(source / name, target / name)
        train[model] = summary["train"]
    for name in TOKENIZER:
        shutil.copyfile(data / "tokenizer" / name, folder / name)
    for name in (HELD_OUT, *TOKENIZER, *(name for model in models for name in files_of(model))):
        sha256[name] = artefacts.sha256(folder / name)
    tokenizer = artefacts.read_json(folder / TOKENIZER[0])
    size = len({*tokenizer["model"]["vocab"], *(token["content"] for token in tokenizer["added_tokens"])})
    made = {
        "corpus": manifest["parameters"], "tokenizer": {"vocab_size": size}, "seed": manifest["seed"], "train": train,
        "overlap": manifest["overlap"], "sha256": sha256,
    }  # fmt: skip
    artefacts.write_json(made, folder / RECIPE)
    return made
