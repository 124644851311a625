"""A split that is already decided: the documents that models which come with the checkout were not trained on.

Documentation of installed packages differs a little between versions of Python. A split that is made anew there could
hold out what such a model has read; one that follows the list cannot.
"""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.text import overlap, splits
from scripts.monosem.text.normalise import digest

FILE, FACTS = "held-out.npz", "recipe.json"
ENOUGH = 0.5
"""Share of the listed documents that has to be there."""


@dataclass(frozen=True)
class HeldOut:
    """Documents of the validation and test splits, by the first eight bytes of their digests."""

    split_of: dict[int, str]
    """Key of a document -> its split."""
    facts: dict[str, Any]
    """Of the assignment that the list is of, as in a corpus's manifest."""


def key(text: str) -> int:
    """The number under which a list has a document."""
    return int.from_bytes(digest(text)[:8], "big")


def save(documents: Iterable[tuple[str, str]], path: str | Path) -> None:
    """Write the list of all (split, text) that are not of the train split."""
    keys: dict[str, list[int]] = {split: [] for split in splits.SPLITS[1:]}
    for split, text in documents:
        if split in keys:
            keys[split].append(key(text))
    artefacts.save_npz(path, **{split: np.array(sorted(those), np.uint64) for split, those in keys.items()})


def load(folder: str | Path) -> HeldOut:
    """The list in a folder of models, with the facts in its recipe.

    Raises: ArtefactError for a file that is missing or damaged.
    """
    path = Path(folder) / FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            split_of = {int(number): split for split in splits.SPLITS[1:] for number in arrays[split]}
    except FileNotFoundError:
        raise artefacts.missing(path) from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise artefacts.ArtefactError(f"{path} is no list of held-out documents ({error})") from None
    return HeldOut(split_of, artefacts.read_json(Path(folder) / FACTS)["overlap"])


def assign(texts: Sequence[str], first_documents: Sequence[str], held_out: HeldOut) -> splits.Assignment:
    """Leave out near-duplicates, give texts on the list the split that it names, and all others to train.

    Args: first_documents: what each text begins with, up to the length of a document.

    Raises: ArtefactError where hardly any listed document is among them: these are other texts.
    """
    dropped = overlap.repeated(overlap.runs(overlap.words(texts)), splits.REPEATED)
    train = splits.SPLITS[0]
    assigned = [
        None if gone else held_out.split_of.get(key(text), train)
        for gone, text in zip(dropped, first_documents, strict=True)
    ]
    here = sum(split not in (None, train) for split in assigned)
    if here < ENOUGH * len(held_out.split_of):
        raise artefacts.ArtefactError(
            f"corpus: only {here:,} of {len(held_out.split_of):,} documents that shipped models were not trained on "
            "are there, so that these are other texts; set `shipped: null` to train models on them"
        )
    return splits.Assignment(assigned, {**held_out.facts, "listed": len(held_out.split_of), "listed_here": here})
