"""The corpus: normalise text, remove duplicates, cut, split, plant labelled contexts, write, describe.

A document is one text with a source, a split and the character spans of planted contexts. Natural documents are split
by a hash of their text, so that a document keeps its split when others come or go; planted documents (planted/) are
generated for each split. Documents are stored in the order of their hash: any prefix of a split is a fair sample.
"""

import hashlib
import json
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.text import docstrings, external
from scripts.monosem.text.normalise import digest, near_key
from scripts.monosem.text.planted import documents as planted

LABELS = ("natural", *planted.CONTEXTS)
SPLITS = ("train", "validation", "test")
PLANTED = "planted"
REPEATED = 0.7
"""Share of a text's characters in lines of earlier texts above which it is a near-duplicate."""


@dataclass(frozen=True)
class Text:
    """A piece of natural text on its way to becoming documents."""

    source: str
    """A package, `stdlib`, the name of a folder or of a data set."""
    text: str
    """Normalised text."""
    key: str
    """Its hash decides the split; pieces of one file share it."""


@dataclass(frozen=True)
class Document:
    """One document of the corpus."""

    source: str
    """A package, `stdlib`, a folder, a data set, or `planted`."""
    split: str
    """train, validation or test."""
    text: str
    """Unicode text, NFC, lines ended by a line feed."""
    spans: tuple[tuple[int, int, str], ...] = ()
    """Character spans [start, end) of planted contexts; empty for natural text."""


def assign_split(key: str, shares: dict[str, float]) -> str:
    """Split of a key: its hash as a number in [0, 1), cut at the cumulated shares. Depends on nothing else."""
    place = int.from_bytes(digest(key)[:8], "big") / 2**64
    bound = 0.0
    for split in SPLITS:
        bound += shares[split]
        if place < bound:
            return split
    return SPLITS[-1]


def cut(text: str, max_characters: int) -> list[str]:
    """Pieces of at most `max_characters`, cut at a line end where there is one; together they are the text."""
    pieces = []
    while len(text) > max_characters:
        end = text.rfind("\n", 0, max_characters) + 1 or max_characters
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]


def drop_duplicates(texts: Iterable[Text]) -> tuple[list[Text], Counter]:
    """Keep the first of equal texts, and drop near-duplicates: texts most of whose lines came in earlier ones.

    Returns: the texts kept, in order; counts of `exact` and `near` duplicates.
    """
    kept: list[Text] = []
    seen_texts: set[bytes] = set()
    seen_lines: set[int] = set()
    dropped: Counter = Counter(exact=0, near=0)
    for item in texts:
        mark = digest(item.text)
        if mark in seen_texts:
            dropped["exact"] += 1
            continue
        seen_texts.add(mark)
        lines = [line.strip() for line in item.text.split("\n")]
        marks = [int.from_bytes(hashlib.blake2b(line.encode(), digest_size=8).digest(), "big") for line in lines]
        repeated = sum(len(line) for line, mark in zip(lines, marks, strict=True) if mark in seen_lines)
        if repeated > REPEATED * sum(map(len, lines)):
            dropped["near"] += 1
            continue
        seen_lines.update(marks)
        kept.append(item)
    return kept, dropped


def _installed(config: dict, threads: int) -> tuple[list[Text], dict]:
    packages, standard_library = config["packages"], config["standard_library"]
    files = docstrings.collect(packages, standard_library, threads)
    texts = [Text(file.source, text, near_key(text)) for file in files for text in file.texts]
    skipped = [f"{file.source}: {file.file}: {file.problem}" for file in files if file.problem]
    facts = {
        "kind": "installed",
        "python": platform.python_version(),
        "versions": docstrings.versions(packages, standard_library),
        "files": len(files),
        "files_skipped": skipped,
        "texts_not_unicode": sum(file.not_unicode for file in files),
    }
    return texts, facts


def _external(kind: str, config: dict | str) -> tuple[list[Text], dict]:
    raw, facts = external.read_folder(config) if kind == "folder" else external.read_hub(config)
    texts = [Text(source, text, text) for source, text in raw]
    return texts, {"kind": kind} | facts


def natural_texts(config: dict, threads: int = 1) -> tuple[list[Text], dict]:
    """Natural text of the corpus that `config` asks for: `hub` wins over `folder`, and both over `installed`.

    Returns: normalised texts with duplicates removed, and facts for the manifest.
    """
    kind = next((kind for kind in ("hub", "folder", "installed") if config.get(kind)), None)
    if kind is None:
        raise artefacts.ArtefactError("config.yaml: corpus needs one of `installed`, `folder` or `hub`")
    texts, facts = _installed(config[kind], threads) if kind == "installed" else _external(kind, config[kind])
    job.say(f"{len(texts):,} texts, {sum(len(item.text) for item in texts) / 1e6:.1f} M characters read")
    long_enough = [item for item in texts if len(item.text) >= config["min_characters"]]
    contexts = tuple(config["planted"]["contexts"]) if config["planted"]["share"] else ()
    unlabelled = [item for item in long_enough if not planted.occurs(item.text, contexts)]
    kept, dropped = drop_duplicates(unlabelled)
    facts |= {
        "texts": len(texts),
        "texts_too_short": len(texts) - len(long_enough),
        "texts_with_a_planted_context": len(long_enough) - len(unlabelled),
        "duplicates_removed": dict(dropped),
    }
    if long_enough and not unlabelled:
        raise artefacts.ArtefactError(
            f"corpus: every text contains one of the planted contexts ({', '.join(contexts)}); "
            "take those that your text is made of out of corpus.planted.contexts in config.yaml"
        )
    return kept, facts


def natural_documents(texts: Iterable[Text], shares: dict[str, float], max_characters: int) -> list[Document]:
    """Cut and split texts: all pieces of a text go to the split of its key."""
    return [
        Document(item.source, assign_split(item.key, shares), piece)
        for item in texts
        for piece in cut(item.text, max_characters)
    ]


def build(config: dict, seed: int, threads: int = 1) -> tuple[list[Document], dict]:
    """The whole corpus of config.yaml's `corpus` block: documents in the order of storage, and facts for the manifest.

    Raises: ArtefactError for a package that is not installed, a folder that is missing or empty, too few documents.
    """
    texts, facts = natural_texts(config, threads)
    documents = natural_documents(texts, config["split"], config["max_characters"])
    sizes = Counter({split: 0 for split in SPLITS})
    for document in documents:
        sizes[document.split] += len(document.text)
    empty = [split for split in SPLITS if not sizes[split]]
    if empty:
        raise artefacts.ArtefactError(
            f"corpus: {len(documents)} documents leave the {' and '.join(empty)} split empty; "
            "give more documents (files), or larger shares in corpus.split in config.yaml"
        )
    contexts, share = config["planted"]["contexts"], config["planted"]["share"]
    for split in SPLITS:
        for context in contexts:
            wanted = int(share / (1 - share) * sizes[split] / len(contexts))
            stream = planted.documents(context, split, wanted, derive_seed(seed, "planted", split, context))
            documents += [Document(PLANTED, split, text, spans) for text, spans in stream]
    documents.sort(key=lambda document: digest(document.text))
    return documents, facts


def describe(documents: Iterable[Document]) -> dict:
    """Counts for the manifest: documents, characters, bytes, per split, per source, per planted context."""
    totals, splits, sources, labelled = Counter(), {}, {}, {}
    for document in documents:
        counts = Counter(
            documents=1, characters=len(document.text), bytes=len(document.text.encode()),
            labelled_characters=sum(end - start for start, end, _ in document.spans),
        )  # fmt: skip
        totals += counts
        splits.setdefault(document.split, Counter()).update(counts)
        sources.setdefault(document.source, Counter()).update(counts)
        for start, end, label in document.spans:
            labelled.setdefault(label, Counter()).update({document.split: end - start, "characters": end - start})
    for counts in (*splits.values(), *sources.values()):
        counts["share"] = counts["characters"] / totals["characters"]
    for counts in labelled.values():
        counts["share"] = counts["characters"] / totals["characters"]
    return {
        **totals,
        "planted_share": totals["labelled_characters"] / totals["characters"],
        "splits": {split: dict(splits[split]) for split in SPLITS if split in splits},
        "sources": {source: dict(sources[source]) for source in sorted(sources)},
        "planted": {label: dict(labelled[label]) for label in LABELS if label in labelled},
    }


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as JSON lines: id (position), source, split, text, spans."""
    with artefacts.atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for number, item in enumerate(documents):
            row = {"id": number, "source": item.source, "split": item.split, "text": item.text, "spans": item.spans}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read(path: str | Path) -> Iterator[Document]:
    """Documents of a file that `write` wrote, one at a time.

    Raises: ArtefactError for a missing or cut file.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for line in file:
                row = json.loads(line)
                spans = tuple((start, end, label) for start, end, label in row["spans"])
                yield Document(row["source"], row["split"], row["text"], spans)
    except FileNotFoundError:
        raise artefacts.ArtefactError(f"{path} is missing; run `snakemake --cores 4 {path}`") from None
    except (ValueError, KeyError) as error:
        raise artefacts.ArtefactError(
            f"{path} is cut short or no file of documents ({error}); delete it, run again"
        ) from None


def build_files(config: dict, seed: int, threads: int, documents_path: str | Path, manifest_path: str | Path) -> dict:
    """Build the corpus and write documents.jsonl and its manifest; returns the manifest."""
    began = time.perf_counter()
    documents, facts = build(config, seed, threads)
    write(documents, documents_path)
    manifest = {"corpus": config["name"], **describe(documents), **facts}
    manifest |= {"documents_sha256": artefacts.sha256(documents_path), "parameters": config, "seed": seed}
    manifest["seconds"] = round(time.perf_counter() - began, 2)
    artefacts.write_json(manifest, manifest_path)
    job.say(
        f"{manifest['documents']:,} documents, {manifest['characters'] / 1e6:.1f} M characters "
        f"({manifest['planted_share']:.2%} planted), "
        f"{artefacts.human_bytes(manifest['bytes'])}, {manifest['seconds']:.1f} s"
    )
    return manifest
