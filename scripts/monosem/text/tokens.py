"""Token shards of a corpus, with labels and document boundaries, and windows over them.

Reading shards needs numpy only.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt8

from scripts.monosem.core import artefacts, job
from scripts.monosem.text import bpe, corpus, overlap

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PARTS = ("tokens", "labels", "documents", "characters", "natural")
BATCH = 512
"""Documents encoded at once: keeps memory constant in the size of the corpus."""


@dataclass(frozen=True)
class TokenStream:
    """The packed tokens of one split: every document is <|endoftext|> followed by its tokens."""

    tokens: Integer[np.ndarray, " token"]
    """uint16, or uint32 for more than 65,536 tokens."""
    labels: UInt8[np.ndarray, " token"]
    """Index into corpus.LABELS of each token's first character; 0 for <|endoftext|>."""
    documents: Int[np.ndarray, " document_bound"]
    """Position of each document's <|endoftext|>, then the number of tokens."""
    characters: Int[np.ndarray, " document"]
    """Characters of each document."""
    natural: Bool[np.ndarray, " document"]
    """False for planted documents."""
    eos_token_id: int
    """Id of <|endoftext|>; 0 is a valid id."""
    vocab_size: int
    """Number of ids of the tokenizer."""


def character_labels(document: corpus.Document) -> UInt8[np.ndarray, " character"]:
    """Label of every character: an index into corpus.LABELS."""
    labels = np.zeros(len(document.text), np.uint8)
    for start, end, label in document.spans:
        labels[start:end] = corpus.LABELS.index(label)
    return labels


AROUND = 20
"""Characters shown on both sides of a difference."""


def difference(text: str, back: str) -> str | None:
    """Place and surroundings of the first character in which a text and its decoded tokens differ; None if equal."""
    if text == back:
        return None
    pairs = enumerate(zip(text, back, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(text), len(back)))
    shown = slice(max(0, at - AROUND), at + AROUND)
    return f"at character {at} {text[shown]!r} became {back[shown]!r}"


@dataclass(frozen=True)
class Encoded:
    """The tokens of one document, without <|endoftext|>."""

    ids: list[int]
    """Token ids."""
    labels: UInt8[np.ndarray, " token"]
    """Of each token's first character."""
    difference: str | None
    """Where decoding does not give the document back; None if it does."""


def encode_documents(tokenizer: "Tokenizer", documents: list[corpus.Document]) -> list[Encoded]:
    """Every document as tokens, and where it does not come back from them."""
    texts = [document.text for document in documents]
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    decoded = tokenizer.decode_batch(ids, skip_special_tokens=False)
    labels = [np.zeros(len(row), np.uint8) for row in ids]
    for number, document in enumerate(documents):
        if document.spans:
            offsets = tokenizer.encode(document.text, add_special_tokens=False).offsets
            starts = np.array([start for start, _ in offsets], np.int64)
            labels[number] = character_labels(document)[np.minimum(starts, len(document.text) - 1)]
    return [Encoded(*row) for row in zip(ids, labels, map(difference, texts, decoded), strict=True)]


@dataclass
class LeftOut:
    """Documents of a split that do not come back from a tokenizer."""

    documents: int = 0
    """Number of them."""
    characters: int = 0
    """Their characters."""
    first: str | None = None
    """Where the first of them differs."""


def _batches(documents: Iterable[corpus.Document]) -> Iterator[list[corpus.Document]]:
    rest = iter(documents)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _encode_splits(
    path: str | Path, tokenizer: "Tokenizer", end_of_text: int
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, LeftOut]]:
    """Arrays of every split by part, of the documents that come back; the others, by split.

    Raises: ArtefactError for a split without documents, or in which none comes back.
    """
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    lists: dict[str, dict[str, list]] = {split: {part: [] for part in PARTS} for split in corpus.SPLITS}
    left_out = {split: LeftOut() for split in corpus.SPLITS}
    for batch in _batches(corpus.read(path)):
        for document, encoded in zip(batch, encode_documents(tokenizer, batch), strict=True):
            if encoded.difference:
                lost = left_out[document.split]
                lost.documents += 1
                lost.characters += len(document.text)
                lost.first = lost.first or encoded.difference
                continue
            parts = lists[document.split]
            parts["tokens"].append(np.array([end_of_text, *encoded.ids], dtype))
            parts["labels"].append(np.concatenate([np.zeros(1, np.uint8), encoded.labels]))
            parts["documents"].append(len(encoded.ids) + 1)
            parts["characters"].append(len(document.text))
            parts["natural"].append(document.source != corpus.PLANTED)
    for split, parts in lists.items():
        if not parts["documents"] and left_out[split].documents:
            raise artefacts.ArtefactError(
                f"tokenizer: none of the {left_out[split].documents} documents of the {split} split comes back from "
                f"its tokens ({left_out[split].first}); only tokenizers that keep every character can be used"
            )
        if not parts["documents"]:
            raise artefacts.ArtefactError(f"{path}: the {split} split has no documents; build the corpus again")
    arrays = {
        split: {
            "tokens": np.concatenate(parts["tokens"]),
            "labels": np.concatenate(parts["labels"]),
            "documents": np.cumsum([0, *parts["documents"]], dtype=np.int64),
            "characters": np.array(parts["characters"], np.int32),
            "natural": np.array(parts["natural"], bool),
        }
        for split, parts in lists.items()
    }
    return arrays, left_out


def _counts(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Tokens, documents and characters of one split, in all, natural, and by label."""
    characters, natural = arrays["characters"], arrays["natural"]
    labelled = np.bincount(arrays["labels"], minlength=len(corpus.LABELS)).tolist()
    return {
        "n_tokens": len(arrays["tokens"]),
        "n_documents": len(characters),
        "n_characters": int(characters.sum()),
        "n_natural_tokens": int(np.diff(arrays["documents"])[natural].sum()),
        "n_natural_characters": int(characters[natural].sum()),
        "n_labelled_tokens": dict(zip(corpus.LABELS, labelled, strict=True)),
        "labelled_share": sum(labelled[1:]) / len(arrays["labels"]),
    }


def _verbatim_in_train(train: dict[str, np.ndarray], held_out: dict[str, np.ndarray]) -> dict[str, Any]:
    """Share of the natural tokens of a held-out split that lie in a run of N tokens of the train split."""
    starts = held_out["documents"]
    inside = overlap.verbatim(train["tokens"], train["documents"][:-1], held_out["tokens"], starts[:-1])
    natural = np.repeat(held_out["natural"], np.diff(starts))
    natural[starts[:-1]] = False
    n_tokens = int(natural.sum())
    n_inside = int(inside[natural].sum())
    return {"run_tokens": overlap.N, "n_tokens": n_inside, "share": n_inside / max(n_tokens, 1)}


def tokenize_corpus(documents: str | Path, tokenizer_path: str | Path, folder: str | Path, threads: int = 1) -> dict:
    """Encode documents.jsonl into {split}.{part}.npy files and a manifest.json in `folder`; returns the manifest.

    A document that does not come back from its tokens is left out, counted in the manifest and named in the log.
    Raises: ArtefactError for a split without documents, or in which none comes back.
    """
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    folder = Path(folder)
    tokenizer = bpe.load_tokenizer(tokenizer_path)
    end_of_text = bpe.end_of_text_id(tokenizer, tokenizer_path)
    splits, files = {}, {}
    encoded, left_out = _encode_splits(documents, tokenizer, end_of_text)
    for split, arrays in encoded.items():
        splits[split] = _counts(arrays)
        if split != "train":
            splits[split]["verbatim_in_train"] = _verbatim_in_train(encoded["train"], arrays)
        for part, array in arrays.items():
            name = f"{split}.{part}.npy"
            artefacts.save_npy(array, folder / name)
            files[name] = artefacts.sha256(folder / name)
    n_tokens = sum(counts["n_tokens"] for counts in splits.values())
    manifest: dict[str, Any] = {
        "tokenizer": folder.name,
        "tokenizer_sha256": artefacts.sha256(tokenizer_path),
        "documents_sha256": artefacts.sha256(documents),
        "vocab_size": tokenizer.get_vocab_size(),
        "eos_token_id": end_of_text,
        "labels": corpus.LABELS,
        "splits": splits,
        "characters_per_token": sum(counts["n_characters"] for counts in splits.values()) / n_tokens,
        "round_trip_failures": sum(lost.documents for lost in left_out.values()),
        "left_out": {split: asdict(lost) for split, lost in left_out.items()},
        "files": files,
    }
    artefacts.write_json(manifest, folder / "manifest.json")
    job.say(
        f"{sum(counts['n_documents'] for counts in splits.values()):,} documents, {n_tokens / 1e6:.2f} M tokens, "
        f"{manifest['characters_per_token']:.2f} characters per token; "
        + ("these decode to themselves" if manifest["round_trip_failures"] else "every document decodes to itself")
    )
    for split, counts in splits.items():
        if split != "train":
            again = counts["verbatim_in_train"]
            job.say(
                f"{split}: {again['share']:.1%} of the natural tokens lie in a run of {again['run_tokens']} tokens "
                "that stands in train, too"
            )
    for split, lost in left_out.items():
        if lost.documents:
            job.say(
                f"left out of {split}: {lost.documents:,} documents ({lost.characters:,} characters) that do not come "
                f"back from their tokens; in the first, {lost.first}"
            )
    return manifest


def load_tokens(folder: str | Path, split: str) -> TokenStream:
    """Open one split's shards, memory-mapped.

    Raises: ArtefactError naming the file when one is missing, cut short, or not the one that the manifest describes.
    """
    folder = Path(folder)
    manifest = artefacts.read_json(folder / "manifest.json")
    if split not in manifest["splits"]:
        splits = ", ".join(manifest["splits"])
        raise artefacts.ArtefactError(f"{folder}/manifest.json has no split '{split}' (it has: {splits})")
    facts = manifest["splits"][split]
    n_tokens, n_documents = facts["n_tokens"], facts["n_documents"]
    lengths = dict(zip(PARTS, (n_tokens, n_tokens, n_documents + 1, n_documents, n_documents), strict=True))
    arrays = {}
    for part, length in lengths.items():
        path = folder / f"{split}.{part}.npy"
        artefacts.require_sha256(path, manifest["files"][path.name], folder / "manifest.json")
        arrays[part] = artefacts.load_npy(path, mmap=True)
        if arrays[part].shape != (length,):
            raise artefacts.ArtefactError(
                f"{path} has the shape {arrays[part].shape}, but {folder}/manifest.json says {length}: it is cut short "
                f"or belongs to another run; {artefacts.remedy(folder / 'manifest.json')}"
            )
    return TokenStream(**arrays, eos_token_id=manifest["eos_token_id"], vocab_size=manifest["vocab_size"])


def windows(
    stream: TokenStream, context: int, n_tokens: int | None = None, seed: int | None = None
) -> Int[np.ndarray, " window"]:
    """Start offsets of non-overlapping windows of `context` tokens: multiples of `context` in the packed stream.

    A window may span documents, as in GPT-2's training; a rest shorter than `context` is left out. In the order of the
    stream, or shuffled by `seed`; as many as `n_tokens` need, and at most all.
    Raises: ArtefactError for a stream shorter than one window.
    """
    n_windows = len(stream.tokens) // context
    if n_windows == 0:
        raise artefacts.ArtefactError(
            f"a split of {len(stream.tokens)} tokens has no window of {context}; give more text"
        )
    starts = np.arange(n_windows, dtype=np.int64) * context
    if seed is not None:
        starts = np.random.default_rng(seed).permutation(starts)
    return starts if n_tokens is None else starts[: -(-n_tokens // context)]


def kept_positions(
    tokens: Integer[Any, "batch context"], eos_token_id: int, drop_first_position: bool
) -> Bool[Any, "batch context"]:
    """Mask of the positions that are extracted, scored and interpreted, for numpy or torch `tokens`.

    False where the token is <|endoftext|> (whose id may be 0), and at position 0 if `drop_first_position`.
    """
    kept = tokens != eos_token_id
    if drop_first_position:
        kept[:, 0] = False
    return kept
