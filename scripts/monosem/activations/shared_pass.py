"""Sites that share one forward pass: the job of the first site writes the activations of all, those of the others into
a folder where they wait, and the job of each other site claims its own.

A workflow that adds a site elsewhere, or trains another autoencoder, extracts nothing again; one that changes the list
of sites extracts that list again. No torch.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts

FILES = ("activations.npy", "positions.npy", "manifest.json")
"""Files of a site's activations, the manifest last: it is read first."""


def waiting_folder(folder: Path) -> Path:
    """Folder where activations wait for the job of their site, at whose start Snakemake removes its outputs."""
    return folder / "waiting"


def claim(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Move waiting activations to their place; False if they are not whole, or of other weights, text or seed."""
    waiting = waiting_folder(folder)
    fits = all((waiting / name).exists() for name in FILES)
    if fits:
        manifest = artefacts.read_json(waiting / "manifest.json")
        fits = all(manifest.get(key) == value for key, value in identity.items())
    for name in FILES if fits else ():
        (waiting / name).replace(folder / name)
    shutil.rmtree(waiting, ignore_errors=True)
    return fits
