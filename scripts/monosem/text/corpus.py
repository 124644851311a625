"""The corpus: normalise text, remove duplicates, cut, split, plant labelled contexts, write, describe.

A document is one text with a source, a split and the character spans of planted contexts. Near-duplicates are left out,
natural texts that share much go to one split, and only text that hardly stands elsewhere is held out (splits.py); a
text of one's own that is too long for a split is cut into documents first. Planted documents (planted/) are generated
for each split. Natural text of one's own that is in a planted context is labelled by rule (contexts.py); of the
installed documentation it is left out. Documents are stored in the order of their hash: any prefix of a split is a fair
sample.
"""

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
from scripts.monosem.text import docstrings, external, held_out, overlap, splits
from scripts.monosem.text.normalise import digest
from scripts.monosem.text.planted import documents as planted
from scripts.monosem.text.splits import SPLITS

LABELS = ("natural", *by_rule.CONTEXTS)
PLANTED = "planted"


@dataclass(frozen=True)
class Text:
    """A piece of natural text on its way to becoming documents."""

    source: str
    """A package, `stdlib`, the name of a folder or of a data set."""
    text: str
    """Normalised text."""
    is_part: bool = False
    """Cut from a text that is too long for a split; its other parts may go elsewhere."""


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


def _installed(config: dict, threads: int) -> tuple[list[Text], dict]:
    packages, standard_library = config["packages"], config["standard_library"]
    files = docstrings.collect(packages, standard_library, threads)
    texts = [Text(file.source, text) for file in files for text in file.texts]
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
    texts = [Text(source if source != PLANTED else f"{kind} {source}", text) for source, text in raw]
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

    Of installed documentation, texts that are in a planted context are left out; one's own text is kept, and cut where
    it is long beside the splits.
    Returns: normalised texts, each once, and facts for the manifest; `left_out` holds what is not among them.
    """
    kind = kind_of(config)
    texts, facts = _installed(config[kind], threads) if kind == "installed" else _external(kind, config[kind])
    n_characters = sum(len(item.text) for item in texts)
    job.say(f"{len(texts):,} texts, {n_characters / 1e6:.1f} M characters read")
    shortest = max(1, config["min_characters"])
    contexts = labelled_contexts(config) if kind == "installed" else ()
    longest = splits.longest_whole([item.text for item in texts], config["split"])
    reasons = {
        "short": f"shorter than corpus.min_characters ({shortest})",
        "context": f"natural {', '.join(contexts)}, of which planted documents have the labels",
        "equal": "equal to an earlier text",
    }
    left_out: dict[str, list[Text]] = {reason: [] for reason in reasons.values()}
    kept: dict[bytes, Text] = {}
    for item in texts:
        if len(item.text) < shortest:
            left_out[reasons["short"]].append(item)
        elif by_rule.occurs(item.text, contexts):
            left_out[reasons["context"]].append(item)
        elif kind == "installed" or len(item.text) <= longest:
            if kept.setdefault(digest(item.text), item) is not item:
                left_out[reasons["equal"]].append(item)
        else:
            for piece in splits.cut(item.text, min(longest, config["max_characters"])):
                part = Text(item.source, piece, is_part=True)
                if kept.setdefault(digest(piece), part) is not part:
                    left_out[reasons["equal"]].append(part)
    facts |= {
        "texts": len(texts),
        "texts_too_short": len(left_out[reasons["short"]]),
        "texts_with_a_planted_context": len(left_out[reasons["context"]]),
        "left_out": _left_out(left_out, n_characters),
    }
    if not kept:
        why = "; ".join(f"{row['texts']} {row['reason']}" for row in facts["left_out"])
        raise artefacts.ArtefactError(
            f"corpus: all {len(texts)} texts are left out ({why}); give other text, or change corpus in config.yaml"
        )
    return list(kept.values()), facts


def natural_documents(
    texts: list[Text], config: dict, listed: held_out.HeldOut | None = None
) -> tuple[list[Document], dict]:
    """Documents of natural texts without near-duplicates, and facts for the manifest.

    One's own texts have labels by rule; all documents of a text that is longer than a document go to its split. With
    a list of held-out documents the splits are those of the list.
    """
    whole = [item.text for item in texts]
    if listed is None:
        assigned = splits.assign(whole, [item.is_part for item in texts], config["split"])
    else:
        assigned = held_out.assign(whole, [splits.cut(text, config["max_characters"])[0] for text in whole], listed)
    contexts = labelled_contexts(config) if kind_of(config) != "installed" else ()
    documents = [
        Document(item.source, split, piece, by_rule.spans(piece, contexts))
        for item, split in zip(texts, assigned.splits, strict=True)
        if split is not None
        for piece in splits.cut(item.text, config["max_characters"])
    ]
    repeated = [item for item, split in zip(texts, assigned.splits, strict=True) if split is None]
    reason = f"near-duplicate: {splits.REPEATED:.0%} of its runs of {overlap.N} words are in earlier texts"
    left_out = _left_out({reason: repeated}, sum(len(item.text) for item in texts))
    _announce(assigned.facts)
    return documents, {"left_out": left_out, "overlap": assigned.facts}


def _announce(facts: dict) -> None:
    if "listed" in facts:
        job.say(
            f"the splits are those of the shipped models: {facts['listed_here']:,} of {facts['listed']:,} documents "
            "that they were not trained on are here; all others are train text"
        )
        return
    job.say(
        f"{facts['groups']:,} groups of texts; the largest has {facts['largest_group_share']:.1%} of the characters; "
        f"{facts['may_be_held_out_share']:.1%} may be held out: at most {facts['held_out_up_to']:.0%} of their words "
        f"are in runs of {overlap.N} that other groups have"
    )
    if facts["held_out_up_to"] > splits.HELD_OUT:
        job.say(
            f"too little text stands only once for a bar of {splits.HELD_OUT:.0%}: held-out losses are lower than on "
            "new text; how much of it stands in train is in the manifest of the tokens"
        )


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


def build(
    config: dict, seed: int, threads: int = 1, listed: held_out.HeldOut | None = None
) -> tuple[list[Document], dict]:
    """The whole corpus of config.yaml's `corpus` block: documents in the order of storage, and facts for the manifest.

    With a list of held-out documents the splits are those of the list.

    Raises: ArtefactError for a package that is not installed, a folder that is missing or empty, too few documents.
    """
    texts, facts = natural_texts(config, threads)
    documents, assigned = natural_documents(texts, config, listed)
    facts |= assigned | {"left_out": facts["left_out"] + assigned["left_out"]}
    sizes = _sizes(documents, config["split"])
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


def build_files(
    config: dict,
    seed: int,
    threads: int,
    documents_path: str | Path,
    manifest_path: str | Path,
    listed: held_out.HeldOut | None = None,
) -> dict:
    """Build the corpus and write documents.jsonl and its manifest; returns the manifest."""
    began = time.perf_counter()
    documents, facts = build(config, seed, threads, listed)
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
