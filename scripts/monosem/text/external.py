"""Text from outside the environment: a folder of plain-text files, or a data set of the Hugging Face hub."""

import os
from collections.abc import Iterator
from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.text.normalise import normalise

SUFFIXES = {".txt", ".md", ".rst", ".text", ".markdown"}


def text_files(folder: str | Path) -> Iterator[Path]:
    """Paths of the plain-text files below a folder, links to files and folders followed, each folder read once.

    The order is that of the paths, so that a link that leads back to a folder above it changes nothing.
    """
    seen: set[str] = set()
    pending = [Path(folder)]
    while pending:
        here = pending.pop()
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            below = sorted(entries, key=lambda entry: entry.name)
        yield from (
            here / entry.name for entry in below if Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file()
        )
        pending += [here / entry.name for entry in reversed(below) if entry.is_dir()]


def read_folder(folder: str) -> tuple[list[tuple[str, str]], dict]:
    """Every plain-text file below a folder, sorted by path, as (folder name, normalised text).

    Files that are not UTF-8 or hold NUL bytes are skipped and named in the facts.
    Raises: ArtefactError for a missing folder, or one without a readable text file.
    """
    root = Path(folder)
    if not root.is_dir():
        raise artefacts.ArtefactError(f"{folder}: corpus.folder in config.yaml is no folder; give the path of one")
    texts, skipped = [], []
    paths = sorted(text_files(root))
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise artefacts.ArtefactError(
                f"{path}: cannot be read ({error.strerror}); corpus.folder is {folder}"
            ) from None
        except UnicodeDecodeError as error:
            skipped.append(f"{name}: not UTF-8 (byte {error.start}); convert it with iconv")
            continue
        if "\0" in text:
            skipped.append(f"{name}: binary")
            continue
        texts.append((root.resolve().name, normalise(text)))
    for line in skipped:
        job.say(f"skipped {line}")
    if not texts:
        raise artefacts.ArtefactError(
            f"{folder}: no readable text among {len(paths)} files ending in {', '.join(sorted(SUFFIXES))}"
            + (f"; first skipped: {skipped[0]}" if skipped else "; put UTF-8 text files there")
        )
    return texts, {"folder": str(folder), "files": len(paths), "files_skipped": skipped}


def read_hub(config: dict) -> tuple[list[tuple[str, str]], dict]:
    """The first `max_documents` texts of a Hugging Face data set, streamed at a pinned revision.

    Keys of `config`: name, revision, text_field (`text`), max_documents, and as far as the data set needs them
    subset and split (`train`: the data set's own; our three splits are made from it).
    Raises: ArtefactError when `datasets` is not installed, the revision is missing or the field is unknown.
    """
    if not config.get("revision"):
        raise artefacts.ArtefactError(
            "config.yaml: corpus.hub.revision is missing; pin a commit or tag of the data set, so that a rerun reads "
            "the same text"
        )
    try:
        import datasets
    except ImportError:
        raise artefacts.ArtefactError(
            "corpus.hub in config.yaml needs the package `datasets`, which is not installed: pip install datasets"
        ) from None
    name, field = config["name"], config.get("text_field", "text")
    rows = datasets.load_dataset(
        name,
        config.get("subset"),
        split=config.get("split", "train"),
        revision=config["revision"],
        streaming=True,
    )
    wanted = config["max_documents"]
    progress = job.Progress(wanted, "documents")
    texts: list[tuple[str, str]] = []
    not_unicode = 0
    for row in rows:
        if len(texts) + not_unicode >= wanted:
            break
        if field not in row:
            raise artefacts.ArtefactError(
                f"config.yaml: corpus.hub.text_field is '{field}', but {name} has the fields {', '.join(sorted(row))}"
            )
        value = row[field] if row[field] is not None else ""
        if not isinstance(value, str):
            raise artefacts.ArtefactError(
                f"config.yaml: corpus.hub.text_field '{field}' of {name} holds {type(value).__name__}, expected text; "
                f"its fields are {', '.join(sorted(row))}"
            )
        try:
            texts.append((name, normalise(value)))
        except ValueError:
            not_unicode += 1
        progress.update(len(texts) + not_unicode)
    if not texts:
        raise artefacts.ArtefactError(f"{name}: the data set gave no rows; check corpus.hub in config.yaml")
    if not_unicode:
        job.say(f"left out: {not_unicode:,} texts that are no Unicode (lone surrogates)")
    return texts, {
        "data_set": name, "revision": config["revision"], "text_field": field, "texts_not_unicode": not_unicode,
    }  # fmt: skip
