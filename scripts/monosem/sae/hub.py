"""Fetch pretrained SAEs from the Hugging Face hub, or from a mirror that HF_ENDPOINT names, into the hub cache."""

import os
from pathlib import Path

from scripts.monosem.core import artefacts, hub_cache
from scripts.monosem.sae import formats


def fetch_sae(name: str, subfolder: str | None = None, revision: str | None = None) -> Path:
    """The folder of a sparse autoencoder in the hub cache, in whichever known format the repository has it.

    Raises: ArtefactError like `fetch`.
    """
    if folder := formats.find(name, subfolder, revision):
        return folder
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

    def path_of(file: str) -> str:
        return f"{subfolder}/{file}" if subfolder else file

    def exists(file: str) -> bool:
        try:
            get_hf_file_metadata(hf_hub_url(name, path_of(file), revision=revision), timeout=hub_cache.PATIENCE_S)
        except errors.RemoteEntryNotFoundError:
            return False
        return True

    url = hub_cache.address(name, path_of("cfg.json"), revision, formats.NEEDED)
    hub_cache.require_answer(name, url, formats.NEEDED)
    try:
        pair = next((files for files in formats.FILES.values() if all(map(exists, files))), None)
        if pair is None:
            where = f"'{name}' at {os.environ.get('HF_ENDPOINT', hub_cache.HUB)}"
            raise artefacts.ArtefactError(f"{where} has no {formats.NEEDED} in {subfolder or 'its root'}")
        config = Path(hf_hub_download(name, path_of(pair[0]), revision=revision, etag_timeout=hub_cache.PATIENCE_S))
        commit = config.parents[len(Path(subfolder or "").parts)].name
        weights = hf_hub_download(name, path_of(pair[1]), revision=commit, etag_timeout=hub_cache.PATIENCE_S)
        hub_cache.verify(Path(weights))
    except artefacts.ArtefactError:
        raise
    except Exception as error:
        raise hub_cache.explain(name, revision, error, formats.NEEDED) from None
    return config.parent
