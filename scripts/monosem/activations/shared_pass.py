"""One pass for several sites: the job of the first site leaves the others' activations whole but without a manifest,
and the job of each other site puts the manifest in its place.

A workflow that adds a site elsewhere, or trains another autoencoder, reads nothing again; one that changes a list reads
that list again. No torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts

MANIFEST, WAITING = "manifest.json", "manifest.waiting.json"


def hold_back(folder: Path) -> None:
    """Put the manifest of a site aside until the site's own job takes it."""
    (folder / MANIFEST).replace(folder / WAITING)


def take(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Give a site the manifest that waits for it; False where there is none, or one of other weights, text or seed."""
    waiting = folder / WAITING
    if not waiting.exists():
        return False
    told = artefacts.read_json(waiting)
    if any(told.get(key) != value for key, value in identity.items()):
        return False
    waiting.replace(folder / MANIFEST)
    return True
