"""Model folders in Hugging Face's layout: their files, and the options that the workflow stores in config.json.

Imports neither torch nor transformers, and never uses the network.
"""

from pathlib import Path
from typing import Any

from scripts.monosem.core import hub_cache
from scripts.monosem.core.artefacts import ArtefactError, read_json, remedy, sha256

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
SHARDS = "shards"  # folder within results/models/{model} of the links to a model's several weight files
OPTIONS = "monosem"  # key of config.json under which `models.<name>.pretrained` is stored
FILES = "monosem_files_sha256"  # key of config.json: hashes of the weight files that were linked
NEEDED = f"{CONFIG}, {WEIGHTS} (or {INDEX} and its files) and {TOKENIZER}"


def indexed_files(folder: Path) -> list[str]:
    """Names of the weight files that a folder's index lists."""
    return sorted(set(read_json(folder / INDEX)["weight_map"].values()))


def weight_files(folder: Path, allow_pickle: bool = False) -> list[str]:
    """Names of the files that hold a model's weights, in the order of preference; empty if some are missing."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if (folder / INDEX).is_file():
        names = indexed_files(folder)
        return names if all((folder / name).is_file() for name in names) else []
    return [PICKLED] if allow_pickle and (folder / PICKLED).is_file() else []


def is_model_folder(folder: Path, allow_pickle: bool = False) -> bool:
    """True if a folder has every file that the workflow reads of a model."""
    described = (folder / CONFIG).is_file() and (folder / TOKENIZER).is_file()
    return described and bool(weight_files(folder, allow_pickle))


def find_pretrained(name: str, revision: str | None = None, allow_pickle: bool = False) -> Path | None:
    """The folder of a model that is on this machine: a path, or a snapshot in the hub cache.

    With a revision (commit, tag or branch) only that snapshot counts; without one the newest.
    """
    places = (Path(name).expanduser(), *hub_cache.snapshots(name, revision))
    return next((place for place in places if is_model_folder(place, allow_pickle)), None)


def options_of(folder: Path) -> dict[str, Any]:
    """Options stored in config.json: keys of `models.<name>.pretrained`; empty for models trained here."""
    return read_json(folder / CONFIG).get(OPTIONS) or {}


def source_of(folder: Path) -> Path:
    """Folder of the weight files: the model folder, or its folder of shards."""
    if (folder / SHARDS / INDEX).is_file():
        folder = folder / SHARDS
    if not weight_files(folder):
        raise ArtefactError(f"{folder} lacks {WEIGHTS}, or files that its {INDEX} names; {remedy(folder / WEIGHTS)}")
    return folder


def weights_sha256(folder: Path) -> str:
    """The hash by which activations and autoencoders name the model that they belong to."""
    return sha256(folder / WEIGHTS)
