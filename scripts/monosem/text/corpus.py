"""The corpus: normalise text, remove duplicates, cut, split, plant labelled contexts, write, describe.

A document is one text with a source, a split and the character spans of planted contexts. Natural documents are split
by a hash of their text, so that a document keeps its split when others come or go; a text too long for that is cut into
documents first. Planted documents (planted/) are generated for each split. Natural text of one's own that is in a
planted context is labelled by rule (contexts.py); of the installed documentation it is left out. Documents are stored
in the order of their hash: any prefix of a split is a fair sample.
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
from scripts.monosem.text import contexts as by_rule
from scripts.monosem.text import docstrings, external, splits
from scripts.monosem.text.normalise import digest, near_key
from scripts.monosem.text.planted import documents as planted
from scripts.monosem.text.splits import SPLITS

LABELS = ("natural", *by_rule.CONTEXTS)
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
    """Character spans [start, end) of planted contexts; in natural text by rule."""


def drop_duplicates(texts: Iterable[Text]) -> tuple[list[Text], Counter, list[Text]]:
    """Keep the first of equal texts, and drop near-duplicates: texts most of whose lines came in earlier ones.

    Returns: the texts kept, in order; counts of `exact` and `near` duplicates; the texts dropped.
    """
    kept: list[Text] = []
    duplicates: list[Text] = []
    seen_texts: set[bytes] = set()
    seen_lines: set[int] = set()
    dropped: Counter = Counter(exact=0, near=0)
    for item in texts:
        mark = digest(item.text)
        if mark in seen_texts:
            dropped["exact"] += 1
            duplicates.append(item)
            continue
        seen_texts.add(mark)
        lines = [line.strip() for line in item.text.split("\n")]
        marks = [int.from_bytes(hashlib.blake2b(line.encode(), digest_size=8).digest(), "big") for line in lines]
        repeated = sum(len(line) for line, mark in zip(lines, marks, strict=True) if mark in seen_lines)
        if repeated > REPEATED * sum(map(len, lines)):
            dropped["near"] += 1
            duplicates.append(item)
            continue
        seen_lines.update(marks)
        kept.append(item)
    return kept, dropped, duplicates


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
    texts = [Text(source if source != PLANTED else f"{kind} {source}", text, text) for source, text in raw]
    return texts, {"kind": kind} | facts


def kind_of(config: dict) -> str:
    """Where the natural text comes from: `hub` wins over `folder`, and both over `installed`.

    Raises: ArtefactError when the configuration names none.
    """
    kind = next((kind for kind in ("hub", "folder", "installed") if config.get(kind)), None)
    if kind is None:
        raise artefacts.ArtefactError("config.yaml: corpus needs one of `installed`, `folder` or `hub`")
    return kind


def labelled_contexts(config: dict) -> tuple[str, ...]:
    """Contexts that the corpus has labels for; none where nothing is planted."""
    return tuple(config["planted"]["contexts"]) if config["planted"]["share"] else ()


def _left_out(reasons: dict[str, list[Text]], n_characters: int) -> list[dict]:
    """Texts and characters that are left out, by reason, which are printed too."""
    counts = [
        {"reason": reason, "texts": len(items), "characters": sum(len(item.text) for item in items)}
        for reason, items in reasons.items() if items
    ]  # fmt: skip
    for row in counts:
        share = row["characters"] / max(n_characters, 1)
        job.say(f"left out: {row['texts']:,} texts, {share:.1%} of the characters read: {row['reason']}")
    return counts


def natural_texts(config: dict, threads: int = 1) -> tuple[list[Text], dict]:
    """Natural text of the corpus that `config` asks for.

    Of installed documentation, texts that are in a planted context are left out; one's own text is kept.
    Returns: normalised texts with duplicates removed, and facts for the manifest.
    """
    kind = kind_of(config)
    texts, facts = _installed(config[kind], threads) if kind == "installed" else _external(kind, config[kind])
    n_characters = sum(len(item.text) for item in texts)
    job.say(f"{len(texts):,} texts, {n_characters / 1e6:.1f} M characters read")
    shortest = max(1, config["min_characters"])
    long_enough = [item for item in texts if len(item.text) >= shortest]
    contexts = labelled_contexts(config) if kind == "installed" else ()
    in_context = [item for item in long_enough if by_rule.occurs(item.text, contexts)]
    skip = set(map(id, in_context))
    kept, dropped, duplicates = drop_duplicates(item for item in long_enough if id(item) not in skip)
    reasons = {
        f"shorter than corpus.min_characters ({shortest})": [i for i in texts if len(i.text) < shortest],
        f"natural {', '.join(contexts)}, of which planted documents have the labels": in_context,
        "equal to an earlier text, or most of its lines are in earlier ones": duplicates,
    }
    facts |= {
        "texts": len(texts),
        "texts_too_short": len(texts) - len(long_enough),
        "texts_with_a_planted_context": len(in_context),
        "duplicates_removed": dict(dropped),
        "left_out": _left_out(reasons, n_characters),
    }
    if not kept:
        why = "; ".join(f"{row['texts']} {row['reason']}" for row in facts["left_out"])
        raise artefacts.ArtefactError(
            f"corpus: all {len(texts)} texts are left out ({why}); give other text, or change corpus in config.yaml"
        )
    return kept, facts


def own_documents(texts: list[Text], config: dict) -> list[Document]:
    """Documents of one's own texts, with labels by rule."""
    contexts = labelled_contexts(config)
    pieces = splits.documents_of([item.text for item in texts], config["split"], config["max_characters"])
    return [
        Document(texts[number].source, split, piece, by_rule.spans(piece, contexts)) for number, split, piece in pieces
    ]


def natural_documents(texts: Iterable[Text], shares: dict[str, float], max_characters: int) -> list[Document]:
    """Cut and split texts: all pieces of a text go to the split of its key."""
    return [
        Document(item.source, splits.assign_split(item.key, shares), piece)
        for item in texts
        for piece in splits.cut(item.text, max_characters)
    ]


def _sizes(documents: list[Document], shares: dict[str, float]) -> Counter:
    """Characters of every split; shares far from those asked for are announced.

    Raises: ArtefactError for a split without text.
    """
    sizes = Counter({split: 0 for split in SPLITS})
    for document in documents:
        sizes[document.split] += len(document.text)
    empty = [split for split in SPLITS if not sizes[split]]
    if empty:
        raise artefacts.ArtefactError(
            f"corpus: {len(documents)} documents leave the {' and '.join(empty)} split empty; "
            "give more text, or larger shares in corpus.split in config.yaml"
        )
    if far := splits.far_from(sizes, shares):
        job.say(f"the splits' shares differ from corpus.split, because texts are few or of unequal length: {far}")
    return sizes


def _announce_labels(documents: list[Document]) -> None:
    """Print how much natural text has labels by rule."""
    labelled: dict[str, Counter] = {}
    for document in documents:
        for label in {label for _, _, label in document.spans}:
            labelled.setdefault(label, Counter())["documents"] += 1
        for start, end, label in document.spans:
            labelled[label]["characters"] += end - start
    for label, counts in sorted(labelled.items()):
        job.say(f"labelled by rule: {counts['characters']:,} characters of {counts['documents']:,} documents: {label}")


def build(config: dict, seed: int, threads: int = 1) -> tuple[list[Document], dict]:
    """The whole corpus of config.yaml's `corpus` block: documents in the order of storage, and facts for the manifest.

    Raises: ArtefactError for a package that is not installed, a folder that is missing or empty, too few documents.
    """
    texts, facts = natural_texts(config, threads)
    shares = config["split"]
    if kind_of(config) == "installed":
        documents = natural_documents(texts, shares, config["max_characters"])
    else:
        documents = own_documents(texts, config)
        repeated = sum(len(item.text) for item in texts) - sum(len(document.text) for document in documents)
        facts["repeated_characters_of_long_texts"] = repeated
        if repeated:
            job.say(f"left out: {repeated:,} characters of long texts: documents of them that are equal to another one")
    sizes = _sizes(documents, shares)
    _announce_labels(documents)
    contexts, share = config["planted"]["contexts"], config["planted"]["share"]
    for split in SPLITS:
        for context in contexts:
            wanted = int(share / (1 - share) * sizes[split] / len(contexts))
            stream = planted.documents(context, split, wanted, derive_seed(seed, "planted", split, context))
            documents += [Document(PLANTED, split, text, spans) for text, spans in stream]
    documents.sort(key=lambda document: digest(document.text))
    return documents, facts


def describe(documents: Iterable[Document]) -> dict:
    """Counts for the manifest: documents, characters, bytes, per split, per source, per planted context.

    `planted` counts the spans of planted documents, `labelled_by_rule` those of natural ones.
    """
    totals, of_splits, sources = Counter(), {}, {}
    spans: dict[bool, dict[str, Counter]] = {True: {}, False: {}}
    for document in documents:
        counts = Counter(
            documents=1, characters=len(document.text), bytes=len(document.text.encode()),
            labelled_characters=sum(end - start for start, end, _ in document.spans),
        )  # fmt: skip
        totals += counts
        of_splits.setdefault(document.split, Counter()).update(counts)
        sources.setdefault(document.source, Counter()).update(counts)
        labelled = spans[document.source == PLANTED]
        for start, end, label in document.spans:
            labelled.setdefault(label, Counter()).update({document.split: end - start, "characters": end - start})
    for counts in (*of_splits.values(), *sources.values(), *spans[True].values(), *spans[False].values()):
        counts["share"] = counts["characters"] / totals["characters"]
    planted_spans, by_rule_spans = (
        {label: dict(labelled[label]) for label in LABELS if label in labelled}
        for labelled in (spans[True], spans[False])
    )
    return {
        **totals,
        "planted_share": sum(counts["characters"] for counts in planted_spans.values()) / totals["characters"],
        "splits": {split: dict(of_splits[split]) for split in SPLITS if split in of_splits},
        "sources": {source: dict(sources[source]) for source in sorted(sources)},
        "planted": planted_spans,
        "labelled_by_rule": by_rule_spans,
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
        raise artefacts.missing(path) from None
    except (ValueError, KeyError) as error:
        raise artefacts.ArtefactError(
            f"{path} is cut short or no file of documents ({error}); {artefacts.remedy(path)}"
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
