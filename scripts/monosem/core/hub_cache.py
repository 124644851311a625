"""The Hugging Face hub and its cache: snapshots on this machine, and plain sentences for failed requests.

The Snakefile lists snapshots while it is parsed. huggingface_hub.scan_cache_dir takes 0.2 s to import, looks at every
file of every repository, and fails without a cache; one repository's folder is two globs.
"""

import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from scripts.monosem.core import artefacts

PATIENCE_S = 5  # for the first answer
HUB = "https://huggingface.co"


def cache_folder() -> Path:
    """Folder of the cache: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def repositories(name: str) -> tuple[str, ...]:
    """Names on the hub that a name may mean: a bare name is also looked up at the present owner of GPT-2."""
    return (name,) if "/" in name else (name, f"openai-community/{name}")


def snapshots(name: str, revision: str | None = None) -> list[Path]:
    """Snapshots of a repository in the hub cache, newest first; with a revision (commit, tag or branch) only that."""
    chosen: list[Path] = []
    for repository in repositories(name):
        cached = cache_folder() / ("models--" + repository.replace("/", "--"))
        newest_first = sorted(cached.glob("snapshots/*"), key=lambda path: path.stat().st_mtime, reverse=True)
        if revision is not None:
            reference = cached / "refs" / revision
            commit = reference.read_text().strip() if reference.is_file() else revision
            newest_first = [snapshot for snapshot in newest_first if snapshot.name == commit]
        chosen += newest_first
    return chosen


def _by_hand(needed: str) -> str:
    return f"put a folder with {needed} on this machine and give its path as the name"


def _offline(name: str, needed: str) -> artefacts.ArtefactError:
    return artefacts.ArtefactError(
        f"'{name}' is not on this machine and {os.environ.get('HF_ENDPOINT', HUB)} cannot be reached (no network?); "
        f"{_by_hand(needed)}"
    )


def address(name: str, file: str, revision: str | None, needed: str) -> str:
    """Where the hub has a file of a repository. Raises: ArtefactError for what cannot be a repository's name."""
    from huggingface_hub import errors, hf_hub_url

    try:
        return hf_hub_url(name, file, revision=revision)
    except errors.HFValidationError:
        raise artefacts.ArtefactError(
            f"'{name}' is neither a folder with {needed} nor a name on the hub, which is owner/name of letters, digits "
            "and -, _ or ."
        ) from None


def require_answer(name: str, url: str, needed: str) -> None:
    """Raises: ArtefactError if nobody answers soon; without a network the hub's client tries for half a minute."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S).close()
    except urllib.error.HTTPError:
        return  # an answer, whatever it says
    except OSError:
        raise _offline(name, needed) from None


def explain(name: str, revision: str | None, error: Exception, needed: str) -> artefacts.ArtefactError:
    """One plain sentence for an error of the hub's client."""
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
    return artefacts.ArtefactError(" ".join(reason.split()))


def verify(path: Path) -> str:
    """sha256 of a fetched file, checked against the one that the hub declares: the name of the file behind the link.

    Raises: ArtefactError if they differ; the file is removed, so that the next attempt fetches it anew.
    """
    blob = path.resolve()
    digest = artefacts.sha256(blob)
    if re.fullmatch(r"[0-9a-f]{64}", blob.name) and blob.name != digest:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise artefacts.ArtefactError(
            f"{path.name} has the sha256 {digest}, the hub declares {blob.name}; the file was removed, fetch it again"
        )
    return digest
