"""Where a pretrained model is on this machine (a folder, a hub snapshot, a GGUF file), and what it declares.

Imports neither torch nor transformers, and never uses the network.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError, read_json
from scripts.monosem.models import gguf_header, model_folder

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
Settings = Mapping[str, Any]
"""`models.<name>.pretrained` of a configuration."""


def find(settings: Settings) -> Path | None:
    """Folder or GGUF file of a model; None if it is not on this machine."""
    if "gguf" not in settings:
        return model_folder.find_pretrained(
            settings["name"], settings.get("revision"), settings.get("allow_pickle", False)
        )
    try:
        path = gguf_header.resource(settings["gguf"])
    except ArtefactError:
        return None
    return path if path.is_file() else None


def name_of(settings: Settings) -> str:
    """A model's name as the configuration has it: of a folder, a repository, or a GGUF file."""
    return settings["gguf"] if "gguf" in settings else settings["name"]


def require(settings: Settings, where: str) -> Path:
    """Folder or GGUF file of a model.

    Args:
        where: path of the settings in the configuration, for the sentence.
    Raises: ArtefactError in one sentence if it is not on this machine.
    """
    if "gguf" in settings:
        try:
            path = gguf_header.resource(settings["gguf"])
        except ArtefactError as error:
            raise ArtefactError(f"{where}.gguf: {error}") from None
        if not path.is_file():
            raise ArtefactError(f"{where}.gguf: '{path}' is no file; give a GGUF file's path, or package:file")
        return path
    if place := find(settings):
        return place
    name, lacking = settings["name"], f"is neither a folder with {model_folder.NEEDED} nor in the hub cache"
    revision = f" --revision {settings['revision']}" if "revision" in settings else ""
    remedy = f"`python -m scripts.fetch_model {name}{revision}` fetches it where there is a network"
    if not HUB_NAME.fullmatch(name) or Path(name).is_dir():
        remedy = "put these files there, or give the path of a folder that has them"
    raise ArtefactError(f"{where}.name: '{name}' {lacking} of this machine; {remedy}")


def config_of(place: Path) -> dict[str, Any]:
    """config.json of a model, made from the header where it is a GGUF file."""
    if place.is_file():
        return gguf_header.config_of(gguf_header.read(place), place)
    try:
        return read_json(place / model_folder.CONFIG)
    except ArtefactError as error:
        raise ArtefactError(f"{str(error).partition(';')[0]}; put the model's own file there") from None


def tokens_of(place: Path) -> dict[int, str]:
    """Token by id, from tokenizer.json or the header of a GGUF file, without opening a tokenizer."""
    if place.is_file():
        tokens = gguf_header.read(place, long_arrays=True).fields["tokenizer.ggml.tokens"]
        return dict(enumerate(tokens))
    tokenizer = read_json(place / model_folder.TOKENIZER)
    listed = tokenizer["model"]["vocab"]
    ids = dict(listed) if isinstance(listed, dict) else {entry[0]: number for number, entry in enumerate(listed)}
    added = {entry["id"]: entry["content"] for entry in tokenizer.get("added_tokens", ())}
    return {number: token for token, number in ids.items()} | added


def files_of(place: Path, allow_pickle: bool = False) -> list[Path]:
    """Files whose contents make the model; one that may be missing counts as missing."""
    if place.is_file():
        return [place]
    names = [model_folder.CONFIG, model_folder.TOKENIZER, model_folder.TOKENIZER_CONFIG]
    weights = model_folder.weight_files(place, allow_pickle)
    index = [model_folder.INDEX] if weights and weights[0] not in (model_folder.WEIGHTS, model_folder.PICKLED) else []
    return [place / name for name in (*names, *index, *weights)]
