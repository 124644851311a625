"""Import a pretrained model that is on this machine into results/: checked, hashed, and linked, not copied."""

import json
import shutil
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.models import fit, model_folder
from scripts.monosem.models.load import tensors_of


def _link(target: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve())


def checked(path: Path) -> str:
    """sha256 of a weight file that is whole and without NaN. Raises: ArtefactError by name otherwise."""
    for _ in tensors_of(path):
        pass
    return artefacts.sha256(path)


def unpickle(path: Path, target: Path) -> None:
    """Turn a pickled checkpoint into safetensors; only tensors are read from it, its code is never executed."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    seen: dict[int, str] = {}
    distinct = {name: value for name, value in state.items() if seen.setdefault(value.data_ptr(), name) == name}
    artefacts.save_tensors(distinct, target, {"format": "pt"})


def link(folder: Path, target: Path, options: dict[str, Any]) -> dict[str, str]:
    """Fill `target` with the files that the workflow reads of the model in `folder`; returns sha256 by weight file.

    `options` go into the copy of config.json. A model in several files lies in a folder of links of its own, and its
    model.safetensors names their hashes, so that its own hash stands for all of them.
    """
    fit.check(folder, allow_pickle=True)
    files = model_folder.weight_files(folder, allow_pickle=True)
    weights = target / model_folder.WEIGHTS
    shutil.rmtree(target / model_folder.SHARDS, ignore_errors=True)
    if files == [model_folder.PICKLED]:
        weights.unlink(missing_ok=True)
        unpickle(folder / model_folder.PICKLED, weights)
        hashes = {model_folder.PICKLED: artefacts.sha256(folder / model_folder.PICKLED)}
    elif files == [model_folder.WEIGHTS]:
        hashes = {model_folder.WEIGHTS: checked(folder / model_folder.WEIGHTS)}
        _link(folder / model_folder.WEIGHTS, weights)
    else:
        hashes = {name: checked(folder / name) for name in files}
        (target / model_folder.SHARDS).mkdir(parents=True)
        for name in (*files, model_folder.INDEX, model_folder.CONFIG):
            _link(folder / name, target / model_folder.SHARDS / name)
        weights.unlink(missing_ok=True)
        artefacts.save_tensors({}, weights, {"format": "pt", "sha256": json.dumps(hashes, sort_keys=True)})
    config = artefacts.read_json(folder / model_folder.CONFIG)
    # the hashes tell rules that read the model of another one, which a link, with the date of its target, does not
    made = {model_folder.OPTIONS: options, model_folder.FILES: hashes}
    artefacts.write_json({**config, **made}, target / model_folder.CONFIG)
    shutil.copyfile(folder / model_folder.TOKENIZER, target / model_folder.TOKENIZER)
    tokenizer_config = folder / model_folder.TOKENIZER_CONFIG
    contents = artefacts.read_json(tokenizer_config) if tokenizer_config.exists() else {}
    artefacts.write_json(contents, target / model_folder.TOKENIZER_CONFIG)
    return hashes
