"""Model folders in Hugging Face's layout: which are whole, where they lie, and what a workflow was told about them.

Imports neither torch nor transformers, and never touches the network.
"""

from pathlib import Path
from typing import Any

from scripts.monosem.core import hub_cache
from scripts.monosem.core.artefacts import ArtefactError, read_json

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
SHARDS = "shards"  # folder within results/models/{model} that holds the links to a model's several weight files
SETTINGS = "monosem"  # key of a model folder's config.json under which this workflow keeps what it was told
NEEDED = f"{CONFIG}, {WEIGHTS} (or {INDEX} and its files) and {TOKENIZER}"


def weight_files(folder: Path, allow_pickle: bool = False) -> list[str]:
    """Names of the files that hold a model's weights, in the order of preference; empty if some are missing."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if (folder / INDEX).is_file():
        names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
        return names if all((folder / name).is_file() for name in names) else []
    return [PICKLED] if allow_pickle and (folder / PICKLED).is_file() else []


def is_model_folder(folder: Path, allow_pickle: bool = False) -> bool:
    """Whether a folder holds everything that the workflow reads of a model."""
    there = (folder / CONFIG).is_file() and (folder / TOKENIZER).is_file()
    return there and bool(weight_files(folder, allow_pickle))


def find_pretrained(name: str, revision: str | None = None, allow_pickle: bool = False) -> Path | None:
    """The folder of a model that is on this machine: a path, or a snapshot in the hub cache.

    With a revision (commit, tag or branch) only that snapshot counts; without one the newest.
    """
    folder = Path(name).expanduser()
    if is_model_folder(folder, allow_pickle):
        return folder
    found = (place for place in hub_cache.snapshots(name, revision) if is_model_folder(place, allow_pickle))
    return next(found, None)


def settings_of(folder: Path) -> dict[str, Any]:
    """What the workflow was told about a model: keys of `models.<name>.pretrained`; nothing for models made here."""
    return read_json(folder / CONFIG).get(SETTINGS) or {}


def device_of(folder: Path, device: str) -> str:
    """The model's own device, else that of the run."""
    return settings_of(folder).get("device") or device


def source_of(folder: Path) -> Path:
    """Where the weight files of a model folder lie: in itself, or in its folder of shards."""
    if (folder / SHARDS / INDEX).is_file():
        folder = folder / SHARDS
    if not weight_files(folder):
        raise ArtefactError(f"{folder} lacks {WEIGHTS}, or files that its {INDEX} names; delete it and run again")
    return folder
