"""Text from outside the environment: a folder of plain-text files, or a data set of the Hugging Face hub."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.text.normalise import normalise

SUFFIXES = {".txt", ".md", ".rst", ".text", ".markdown"}


def read_folder(folder: str) -> tuple[list[tuple[str, str]], dict]:
    """Every plain-text file below a folder, sorted by path, as (folder name, normalised text).

    Files that are not UTF-8 or hold NUL bytes are skipped and named in the facts.
    Raises: ArtefactError for a missing folder, or one without a readable text file.
    """
    root = Path(folder)
    if not root.is_dir():
        raise artefacts.ArtefactError(f"{folder}: corpus.folder in config.yaml is no folder; give the path of one")
    texts, skipped = [], []
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    for path in paths:
        content = path.read_bytes()
        name = path.relative_to(root).as_posix()
        try:
            text = content.decode("utf-8-sig")
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
    for row in rows:
        if len(texts) >= wanted:
            break
        if field not in row:
            raise artefacts.ArtefactError(
                f"config.yaml: corpus.hub.text_field is '{field}', but {name} has the fields {', '.join(sorted(row))}"
            )
        texts.append((name, normalise(row[field] or "")))
        progress.update(len(texts))
    if not texts:
        raise artefacts.ArtefactError(f"{name}: the data set gave no rows; check corpus.hub in config.yaml")
    return texts, {"data_set": name, "revision": config["revision"], "text_field": field}
