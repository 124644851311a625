"""Documents to tokens: shards with labels and document boundaries, and windows over them.

Reading shards needs numpy only.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from scripts.monosem.core import artefacts, job
from scripts.monosem.text import bpe, corpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PARTS = ("tokens", "labels", "documents", "characters", "natural")
BATCH = 512  # documents encoded at once: keeps memory constant in the size of the corpus


@dataclass(frozen=True)
class TokenStream:
    """The packed tokens of one split: every document is <|endoftext|> followed by its tokens."""

    tokens: Int[np.ndarray, " n_tokens"]
    """uint16, or uint32 for more than 65,536 tokens."""
    labels: UInt8[np.ndarray, " n_tokens"]
    """Index into corpus.LABELS of each token's first character; 0 for <|endoftext|>."""
    documents: Int[np.ndarray, " n_documents_plus_1"]
    """Where each document's <|endoftext|> stands, then n_tokens."""
    characters: Int[np.ndarray, " n_documents"]
    """Characters of each document."""
    natural: Bool[np.ndarray, " n_documents"]
    """False for planted documents."""
    eos_token_id: int
    """Id of <|endoftext|>; 0 is a valid id."""
    vocab_size: int
    """Number of ids of the tokenizer."""


def character_labels(document: corpus.Document) -> UInt8[np.ndarray, " n_characters"]:
    """Label of every character: an index into corpus.LABELS."""
    labels = np.zeros(len(document.text), np.uint8)
    for start, end, label in document.spans:
        labels[start:end] = corpus.LABELS.index(label)
    return labels


def encode_documents(
    tokenizer: "Tokenizer", documents: list[corpus.Document]
) -> tuple[list[list[int]], list[UInt8[np.ndarray, " n"]]]:
    """Ids and labels of each document, without <|endoftext|>; a token has the label of its first character.

    Raises: ArtefactError when decoding does not give a document back.
    """
    texts = [document.text for document in documents]
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    decoded = tokenizer.decode_batch(ids, skip_special_tokens=False)
    for text, back in zip(texts, decoded, strict=True):
        if text != back:
            pairs = enumerate(zip(text, back, strict=False))
            at = next((i for i, (a, b) in pairs if a != b), min(len(text), len(back)))
            raise artefacts.ArtefactError(
                f"tokenizer: decode(encode(text)) differs from the text at character {at}: {text[at - 20 : at + 20]!r} "
                f"became {back[at - 20 : at + 20]!r}; only tokenizers that keep every character can be used"
            )
    labels = [np.zeros(len(row), np.uint8) for row in ids]
    for number, document in enumerate(documents):
        if document.spans:
            offsets = tokenizer.encode(document.text, add_special_tokens=False).offsets
            starts = np.array([start for start, _ in offsets], np.int64)
            labels[number] = character_labels(document)[np.minimum(starts, len(document.text) - 1)]
    return ids, labels


def _batches(documents: Iterable[corpus.Document]) -> Iterator[list[corpus.Document]]:
    batch: list[corpus.Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def tokenize_corpus(documents: str | Path, tokenizer_path: str | Path, folder: str | Path, threads: int = 1) -> dict:
    """Encode documents.jsonl into {split}.{part}.npy files and a manifest.json in `folder`; returns the manifest.

    Raises: ArtefactError for a tokenizer that loses characters, or a split without documents.
    """
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    folder = Path(folder)
    tokenizer = bpe.load_tokenizer(tokenizer_path)
    end_of_text, vocab_size = bpe.end_of_text_id(tokenizer, tokenizer_path), tokenizer.get_vocab_size()
    dtype = np.uint16 if vocab_size <= 2**16 else np.uint32
    parts: dict[str, dict[str, list]] = {split: {part: [] for part in PARTS} for split in corpus.SPLITS}
    n_tokens = dict.fromkeys(corpus.SPLITS, 0)
    counted = {split: {"natural_tokens": 0, "natural_characters": 0} for split in corpus.SPLITS}
    done = 0
    for batch in _batches(corpus.read(documents)):
        ids, labels = encode_documents(tokenizer, batch)
        for document, row, row_labels in zip(batch, ids, labels, strict=True):
            mine, natural = parts[document.split], document.source != corpus.PLANTED
            mine["tokens"].append(np.array([end_of_text, *row], dtype))
            mine["labels"].append(np.concatenate([np.zeros(1, np.uint8), row_labels]))
            mine["documents"].append(n_tokens[document.split])
            mine["characters"].append(len(document.text))
            mine["natural"].append(natural)
            n_tokens[document.split] += len(row) + 1
            counted[document.split]["natural_tokens"] += natural * (len(row) + 1)
            counted[document.split]["natural_characters"] += natural * len(document.text)
        done += len(batch)
    splits, files = {}, {}
    for split in corpus.SPLITS:
        mine = parts[split]
        if not mine["documents"]:
            raise artefacts.ArtefactError(f"{documents}: the {split} split has no documents; build the corpus again")
        arrays = {
            "tokens": np.concatenate(mine["tokens"]),
            "labels": np.concatenate(mine["labels"]),
            "documents": np.array([*mine["documents"], n_tokens[split]], np.int64),
            "characters": np.array(mine["characters"], np.int32),
            "natural": np.array(mine["natural"], bool),
        }
        for part, array in arrays.items():
            name = f"{split}.{part}.npy"
            artefacts.save_npy(array, folder / name)
            files[name] = artefacts.sha256(folder / name)
        splits[split] = {
            "n_tokens": n_tokens[split],
            "n_documents": len(mine["characters"]),
            "n_characters": int(arrays["characters"].sum()),
            "n_natural_tokens": counted[split]["natural_tokens"],
            "n_natural_characters": counted[split]["natural_characters"],
            "n_labelled_tokens": dict(
                zip(corpus.LABELS, np.bincount(arrays["labels"], minlength=len(corpus.LABELS)).tolist(), strict=True)
            ),
        }
    manifest: dict[str, Any] = {
        "tokenizer": folder.name,
        "tokenizer_sha256": artefacts.sha256(tokenizer_path),
        "documents_sha256": artefacts.sha256(documents),
        "vocab_size": vocab_size,
        "eos_token_id": end_of_text,
        "labels": corpus.LABELS,
        "splits": splits,
        "characters_per_token": sum(s["n_characters"] for s in splits.values()) / sum(n_tokens.values()),
        "round_trip_failures": 0,
        "files": files,
    }
    artefacts.write_json(manifest, folder / "manifest.json")
    job.say(
        f"{done:,} documents, {sum(n_tokens.values()) / 1e6:.2f} M tokens, "
        f"{manifest['characters_per_token']:.2f} characters per token; every document decodes to itself"
    )
    return manifest


def load_tokens(folder: str | Path, split: str) -> TokenStream:
    """Open one split's shards, memory-mapped.

    Raises: ArtefactError naming the file when one is missing, cut short, or of another length than the manifest says.
    """
    folder = Path(folder)
    manifest = artefacts.read_json(folder / "manifest.json")
    if split not in manifest["splits"]:
        there = ", ".join(manifest["splits"])
        raise artefacts.ArtefactError(f"{folder}/manifest.json has no split '{split}' (there is: {there})")
    facts = manifest["splits"][split]
    n_tokens, n_documents = facts["n_tokens"], facts["n_documents"]
    lengths = dict(zip(PARTS, (n_tokens, n_tokens, n_documents + 1, n_documents, n_documents), strict=True))
    arrays = {}
    for part, length in lengths.items():
        path = folder / f"{split}.{part}.npy"
        arrays[part] = artefacts.load_npy(path, mmap=True)
        if arrays[part].shape != (length,):
            raise artefacts.ArtefactError(
                f"{path} has the shape {arrays[part].shape}, but {folder}/manifest.json says {length}: it is cut short "
                "or belongs to another run; delete the folder and run the same command again"
            )
    return TokenStream(**arrays, eos_token_id=manifest["eos_token_id"], vocab_size=manifest["vocab_size"])


def windows(
    stream: TokenStream, context: int, n_tokens: int | None = None, seed: int | None = None
) -> Int[np.ndarray, " n_windows"]:
    """Start offsets of non-overlapping windows of `context` tokens: the packed stream cut at multiples of `context`.

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


def kept_positions(tokens: Any, eos_token_id: int, drop_first_position: bool) -> Any:
    """Mask [batch, context] of the positions that are extracted, scored and interpreted, for numpy or torch `tokens`.

    False where the token is <|endoftext|> (whose id may be 0), and at position 0 if `drop_first_position`.
    """
    kept = tokens != eos_token_id
    if drop_first_position:
        kept[:, 0] = False
    return kept
