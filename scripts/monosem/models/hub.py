"""Fetch models from the Hugging Face hub, or from a mirror that HF_ENDPOINT names, into the hub cache.

A cut connection is taken up where it broke; files that are whole stay for the next attempt. Every weight file is held
against the sha256 that the hub states for it.
"""

from collections.abc import Callable
from pathlib import Path

from scripts.monosem.core import artefacts, hub_cache
from scripts.monosem.models import model_folder


def fetch(name: str, revision: str | None = None, allow_pickle: bool = False) -> Path:
    """The folder of a model in the hub cache; nothing is fetched where it lies on this machine already.

    Raises: ArtefactError with one sentence when offline, for an unknown model, revision or file, a full disk, or a
    weight file whose content is not what the hub states.
    """
    if found := model_folder.find_pretrained(name, revision, allow_pickle):
        return found
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository = hub_cache.repositories(name)[-1]

    def get(file: str, at: str | None) -> Path:
        return Path(hf_hub_download(repository, file, revision=at, etag_timeout=hub_cache.PATIENCE_S))

    def size(file: str, at: str) -> int:
        return get_hf_file_metadata(hf_hub_url(repository, file, revision=at), timeout=hub_cache.PATIENCE_S).size or 0

    hub_cache.require_answer(name, hf_hub_url(repository, model_folder.CONFIG, revision=revision), model_folder.NEEDED)
    try:
        folder = get(model_folder.CONFIG, revision).parent
        commit = folder.name  # what a branch names may move between two files
        get(model_folder.TOKENIZER, commit)
        try:
            get(model_folder.TOKENIZER_CONFIG, commit)
        except errors.RemoteEntryNotFoundError:
            pass
        files = _weight_files(repository, get, commit, allow_pickle)
        missing = [file for file in files if not (folder / file).exists()]
        artefacts.require_disk(hub_cache.cache_folder(), sum(size(file, commit) for file in missing), f"'{name}'")
        for file in files:
            hub_cache.verify(get(file, commit))
    except artefacts.ArtefactError:
        raise
    except Exception as error:
        raise hub_cache.explain(name, revision, error, model_folder.NEEDED) from None
    return folder


def _weight_files(repository: str, get: Callable[[str, str], Path], commit: str, allow_pickle: bool) -> list[str]:
    """Which weight files the repository has: safetensors in one file or several, else pickled if that is allowed."""
    from huggingface_hub import errors, file_exists

    try:
        index = get(model_folder.INDEX, commit)
        return sorted(set(artefacts.read_json(index)["weight_map"].values()))
    except errors.RemoteEntryNotFoundError:
        pass
    if file_exists(repository, model_folder.WEIGHTS, revision=commit):
        return [model_folder.WEIGHTS]
    if allow_pickle:
        return [model_folder.PICKLED]
    raise artefacts.ArtefactError(
        f"'{repository}' has no {model_folder.WEIGHTS}; "
        f"a {model_folder.PICKLED} is read only where allow_pickle is true"
    )
