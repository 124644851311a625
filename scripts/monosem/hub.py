"""Fetch models and autoencoders from the Hugging Face hub, or from a mirror that HF_ENDPOINT names, into the hub cache.

A cut connection is taken up where it broke; files that are whole stay for the next attempt. Every weight file is held
against the sha256 that the hub states for it.
"""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from scripts.monosem import checkpoints, io
from scripts.monosem.sae import stated

PATIENCE_S = 5  # for the first answer
HUB = "https://huggingface.co"


def _by_hand(needed: str) -> str:
    return f"put a folder with {needed} on this machine and give its path as the name"


def _offline(name: str, needed: str) -> io.ArtefactError:
    return io.ArtefactError(
        f"'{name}' is not on this machine and {os.environ.get('HF_ENDPOINT', HUB)} cannot be reached (no network?); "
        f"{_by_hand(needed)}"
    )


def _require_answer(name: str, url: str, needed: str) -> None:
    """One short attempt of our own: without a network the hub's client tries for half a minute."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S).close()
    except urllib.error.HTTPError:
        return  # an answer, whatever it says
    except OSError:
        raise _offline(name, needed) from None


def _explain(name: str, revision: str | None, error: Exception, needed: str) -> io.ArtefactError:
    """One plain sentence for whatever stood between here and the hub."""
    from huggingface_hub import errors

    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    if isinstance(error, errors.GatedRepoError):
        reason = f"'{name}' is gated: accept its licence at {endpoint}/{name} and set HF_TOKEN, or {_by_hand(needed)}"
    elif isinstance(error, errors.RevisionNotFoundError):
        reason = f"'{name}' has no revision '{revision}' at {endpoint}"
    elif isinstance(error, errors.RepositoryNotFoundError):
        reason = f"there is no model '{name}' at {endpoint} (or it is private, and HF_TOKEN is not set)"
    elif isinstance(error, errors.RemoteEntryNotFoundError):
        reason = f"'{name}' at {endpoint} lacks a file that the workflow needs ({error}); {_by_hand(needed)}"
    elif isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return _offline(name, needed)
    else:
        reason = f"'{name}' could not be fetched from {endpoint} ({type(error).__name__}: {error}); try again"
    return io.ArtefactError(" ".join(reason.split()))


def verify(path: Path) -> str:
    """sha256 of a fetched file, held against the one that the hub states: the name of the file behind the link.

    Raises: ArtefactError for another content; the file is removed, so that the next attempt fetches it anew.
    """
    blob = path.resolve()
    digest = io.sha256(blob)
    if re.fullmatch(r"[0-9a-f]{64}", blob.name) and blob.name != digest:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise io.ArtefactError(
            f"{path.name} has the sha256 {digest}, the hub states {blob.name}; the file was removed, fetch it again"
        )
    return digest


def fetch(name: str, revision: str | None = None, allow_pickle: bool = False) -> Path:
    """The folder of a model in the hub cache; nothing is fetched where it lies on this machine already.

    Raises: ArtefactError with one sentence when offline, for an unknown model, revision or file, a full disk, or a
    weight file whose content is not what the hub states.
    """
    if found := checkpoints.find_pretrained(name, revision, allow_pickle):
        return found
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository = checkpoints.repositories(name)[-1]

    def get(file: str, at: str | None) -> Path:
        return Path(hf_hub_download(repository, file, revision=at, etag_timeout=PATIENCE_S))

    def size(file: str, at: str) -> int:
        return get_hf_file_metadata(hf_hub_url(repository, file, revision=at), timeout=PATIENCE_S).size or 0

    _require_answer(name, hf_hub_url(repository, checkpoints.CONFIG, revision=revision), checkpoints.NEEDED)
    try:
        folder = get(checkpoints.CONFIG, revision).parent
        commit = folder.name  # what a branch names may move between two files
        get(checkpoints.TOKENIZER, commit)
        try:
            get(checkpoints.TOKENIZER_CONFIG, commit)
        except errors.RemoteEntryNotFoundError:
            pass
        files = _weight_files(repository, get, commit, allow_pickle)
        missing = [file for file in files if not (folder / file).exists()]
        io.require_disk(checkpoints.hub_cache(), sum(size(file, commit) for file in missing), f"'{name}'")
        for file in files:
            verify(get(file, commit))
    except io.ArtefactError:
        raise
    except Exception as error:
        raise _explain(name, revision, error, checkpoints.NEEDED) from None
    return folder


def fetch_sae(name: str, subfolder: str | None = None, revision: str | None = None) -> Path:
    """The folder of a sparse autoencoder in the hub cache, in whichever known format the repository has it.

    Raises: ArtefactError like `fetch`.
    """
    if found := stated.find(name, subfolder, revision):
        return found
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

    def path_of(file: str) -> str:
        return f"{subfolder}/{file}" if subfolder else file

    def exists(file: str) -> bool:
        try:
            get_hf_file_metadata(hf_hub_url(name, path_of(file), revision=revision), timeout=PATIENCE_S)
        except errors.RemoteEntryNotFoundError:
            return False
        return True

    _require_answer(name, hf_hub_url(name, path_of("cfg.json"), revision=revision), stated.NEEDED)
    try:
        pair = next((files for files in stated.FILES.values() if all(map(exists, files))), None)
        if pair is None:
            where = f"'{name}' at {os.environ.get('HF_ENDPOINT', HUB)}"
            raise io.ArtefactError(f"{where} has no {stated.NEEDED} in {subfolder or 'its root'}")
        told = Path(hf_hub_download(name, path_of(pair[0]), revision=revision, etag_timeout=PATIENCE_S))
        commit = told.parents[len(Path(subfolder or "").parts)].name
        verify(Path(hf_hub_download(name, path_of(pair[1]), revision=commit, etag_timeout=PATIENCE_S)))
    except io.ArtefactError:
        raise
    except Exception as error:
        raise _explain(name, revision, error, stated.NEEDED) from None
    return told.parent


def _weight_files(repository: str, get: Callable[[str, str], Path], commit: str, allow_pickle: bool) -> list[str]:
    """Which weight files the repository has: safetensors in one file or several, else pickled if that is allowed."""
    from huggingface_hub import errors, file_exists

    try:
        index = get(checkpoints.INDEX, commit)
        return sorted(set(io.read_json(index)["weight_map"].values()))
    except errors.RemoteEntryNotFoundError:
        pass
    if file_exists(repository, checkpoints.WEIGHTS, revision=commit):
        return [checkpoints.WEIGHTS]
    if allow_pickle:
        return [checkpoints.PICKLED]
    raise io.ArtefactError(
        f"'{repository}' has no {checkpoints.WEIGHTS}; a {checkpoints.PICKLED} is read only where allow_pickle is true"
    )
