"""Sites that share one forward pass: the job of the first site writes the activations of all and parks the manifests of
the others, and the job of each other site claims its own.

A workflow that adds a site elsewhere, or trains another autoencoder, extracts nothing again; one that changes the list
of sites extracts that list again. No torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts

MANIFEST, PARKED = "manifest.json", "manifest.waiting.json"


def park_manifest(folder: Path) -> None:
    """Rename the manifest of a site, so that its activations do not count until the site's own job claims them."""
    (folder / MANIFEST).replace(folder / PARKED)


def claim_manifest(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Put a parked manifest in its place; False if there is none, or it is of other weights, text or seed."""
    parked = folder / PARKED
    if not parked.exists():
        return False
    manifest = artefacts.read_json(parked)
    if any(manifest.get(key) != value for key, value in identity.items()):
        return False
    parked.replace(folder / MANIFEST)
    return True
