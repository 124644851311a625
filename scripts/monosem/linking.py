"""Put a pretrained model that lies on this machine where trained ones lie: checked, hashed, and linked, not copied."""

import json
import shutil
from pathlib import Path
from typing import Any

from scripts.monosem import checkpoints, io
from scripts.monosem.pretrained import tensors_of


def _link(target: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve())


def checked(path: Path) -> str:
    """sha256 of a whole weight file without NaN, read tensor by tensor. Raises: ArtefactError by name."""
    for _ in tensors_of(path):
        pass
    return io.sha256(path)


def unpickle(path: Path, target: Path) -> None:
    """Turn a pickled checkpoint into safetensors; only tensors are read from it, nothing it says is executed."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    seen: dict[int, str] = {}
    distinct = {name: value for name, value in state.items() if seen.setdefault(value.data_ptr(), name) == name}
    io.save_tensors(distinct, target, {"format": "pt"})


def link(folder: Path, target: Path, settings: dict[str, Any]) -> dict[str, str]:
    """Fill `target` with what the workflow reads of the model in `folder`; sha256 by weight file.

    `settings` go into the copy of config.json. A model in several files lies in a folder of links of its own, and its
    model.safetensors names their hashes, so that its own hash stands for all of them.
    """
    files = checkpoints.weight_files(folder, allow_pickle=True)
    weights = target / checkpoints.WEIGHTS
    shutil.rmtree(target / checkpoints.SHARDS, ignore_errors=True)
    if files == [checkpoints.PICKLED]:
        weights.unlink(missing_ok=True)
        unpickle(folder / checkpoints.PICKLED, weights)
        hashes = {checkpoints.PICKLED: io.sha256(folder / checkpoints.PICKLED)}
    elif files == [checkpoints.WEIGHTS]:
        hashes = {checkpoints.WEIGHTS: checked(folder / checkpoints.WEIGHTS)}
        _link(folder / checkpoints.WEIGHTS, weights)
    else:
        hashes = {name: checked(folder / name) for name in files}
        (target / checkpoints.SHARDS).mkdir(parents=True)
        for name in (*files, checkpoints.INDEX, checkpoints.CONFIG):
            _link(folder / name, target / checkpoints.SHARDS / name)
        weights.unlink(missing_ok=True)
        io.save_tensors({}, weights, {"format": "pt", "sha256": json.dumps(hashes, sort_keys=True)})
    config = io.read_json(folder / checkpoints.CONFIG)
    io.write_json({**config, checkpoints.SETTINGS: settings}, target / checkpoints.CONFIG)
    shutil.copyfile(folder / checkpoints.TOKENIZER, target / checkpoints.TOKENIZER)
    tokenizer_config = folder / checkpoints.TOKENIZER_CONFIG
    told = io.read_json(tokenizer_config) if tokenizer_config.exists() else {}
    io.write_json(told, target / checkpoints.TOKENIZER_CONFIG)
    return hashes
