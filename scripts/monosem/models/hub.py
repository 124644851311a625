"""Fetch models from the Hugging Face hub, or from a mirror that HF_ENDPOINT names, into the hub cache.

A cut connection is resumed; complete files are kept for the next attempt. Every weight file is checked against the
sha256 that the hub declares for it.

huggingface_hub.snapshot_download is not used: it asks the hub's API, which a plain mirror of the files lacks, and
fetches by pattern also weights that the index does not name (some repositories hold them in two forms).
"""

from pathlib import Path

from scripts.monosem.core import artefacts, hub_cache
from scripts.monosem.models import model_folder


def fetch(name: str, revision: str | None = None, allow_pickle: bool = False) -> Path:
    """The folder of a model in the hub cache; nothing is fetched if it is on this machine already.

    Raises: ArtefactError with one sentence when offline, for an unknown model, revision or file, a full disk, or a
    weight file that does not have the declared sha256.
    """
    if folder := model_folder.find_pretrained(name, revision, allow_pickle):
        return folder
    url = hub_cache.address(hub_cache.repositories(name)[-1], model_folder.CONFIG, revision, model_folder.NEEDED)
    hub_cache.require_answer(name, url, model_folder.NEEDED)
    try:
        return _fetch(name, revision, allow_pickle)
    except artefacts.ArtefactError:
        raise
    except Exception as error:
        raise hub_cache.explain(name, revision, error, model_folder.NEEDED) from None


def _fetch(name: str, revision: str | None, allow_pickle: bool) -> Path:
    from huggingface_hub import errors, file_exists, get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository, patience = hub_cache.repositories(name)[-1], hub_cache.PATIENCE_S

    def get(file: str, at: str | None) -> Path:
        return Path(hf_hub_download(repository, file, revision=at, etag_timeout=patience))

    def get_optional(file: str, at: str) -> Path | None:
        try:
            return get(file, at)
        except errors.RemoteEntryNotFoundError:
            return None

    def size(file: str, at: str) -> int:
        return get_hf_file_metadata(hf_hub_url(repository, file, revision=at), timeout=patience).size or 0

    folder = get(model_folder.CONFIG, revision).parent
    commit = folder.name  # a branch may move between two files
    get(model_folder.TOKENIZER, commit)
    get_optional(model_folder.TOKENIZER_CONFIG, commit)
    if get_optional(model_folder.INDEX, commit):
        files = model_folder.indexed_files(folder)
    elif file_exists(repository, model_folder.WEIGHTS, revision=commit):
        files = [model_folder.WEIGHTS]
    elif allow_pickle:
        files = [model_folder.PICKLED]
    else:
        raise artefacts.ArtefactError(
            f"'{repository}' has no {model_folder.WEIGHTS}; "
            f"a {model_folder.PICKLED} is read only where allow_pickle is true"
        )
    missing = [file for file in files if not (folder / file).exists()]
    artefacts.require_disk(hub_cache.cache_folder(), sum(size(file, commit) for file in missing), f"'{name}'")
    for file in files:
        hub_cache.verify(get(file, commit))
    return folder
