"""Similarity of words of one meaning, against unrelated words of equal frequency."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.metrics.permutation import PERMUTATIONS
from scripts.monosem.models.sites import Site, capture_all
from scripts.monosem.text.tokens import TokenStream

BEFORE = 15  # tokens read before an occurrence
OCCURRENCES = 6  # per word, in held-out text
STRATUM = 6  # words of neighbouring frequency within which words are permuted

CONVENTIONS = {
    "words": "those that are one token with a leading space; groups with fewer than two such words are left out",
    "in_context": f"a word's mean vector over up to {OCCURRENCES} occurrences in held-out text, {BEFORE} tokens before "
    "each",
    "alone": "its vector right behind <|endoftext|>",
    "similar": "mean over groups of the mean cosine of two words of a group",
    "control": "the mean of the same over permutations: words swap groups at random, but only among the "
    f"{STRATUM} next to each other in frequency (train split), so that groups keep their sizes and their frequencies",
    "difference": "similar - control, which takes anisotropy away as well",
    "p": f"share of {PERMUTATIONS} permutations that reach the true groups' value, the true one counted in (one-sided)",
}


@dataclass(frozen=True)
class Vocabulary:
    """The words that are compared."""

    words: list[str]
    ids: Integer[np.ndarray, " words"]
    """Token ids."""
    groups: list[Integer[np.ndarray, " members"]]
    """Places in `words`, each in one group."""
    counts: Integer[np.ndarray, " words"]
    """In the train split."""


def choose(
    tokenizer: Tokenizer,
    groups: Sequence[Sequence[str]],
    counts: Integer[np.ndarray, " vocab"],
    held_out: Integer[np.ndarray, " vocab"],
) -> Vocabulary:
    """Groups as far as their words are single tokens that occur in held-out text."""

    def single(word: str) -> int | None:
        ids = tokenizer.encode(f" {word}", add_special_tokens=False).ids
        return ids[0] if len(ids) == 1 and held_out[ids[0]] else None

    kept = [[word for word in group if single(word) is not None] for group in groups]
    kept = [group for group in kept if len(group) > 1]
    chosen = [word for group in kept for word in group]
    ids = np.array([single(word) for word in chosen], np.int64)
    ends = np.cumsum([len(group) for group in kept], dtype=int)
    return Vocabulary(chosen, ids, np.split(np.arange(len(ids)), ends[:-1]) if kept else [], counts[ids])


@torch.inference_mode()
def represent(
    model: nn.Module, sites: Sequence[Site], vocabulary: Vocabulary, stream: TokenStream, seed: int, batch: int = 128
) -> dict[str, list[Float[np.ndarray, "words d"]]]:
    """Vectors of all words at every site: `in_context` and `alone`."""
    rng, tokens = np.random.default_rng(seed), np.asarray(stream.tokens)
    windows, owner = [], []
    order = np.argsort(tokens, kind="stable")
    low, high = (np.searchsorted(tokens[order], vocabulary.ids, side=side) for side in ("left", "right"))
    for word, (first, last) in enumerate(zip(low, high, strict=True)):
        places = order[first:last]
        places = places[places >= BEFORE]
        for place in rng.permutation(places)[:OCCURRENCES]:
            windows.append(tokens[place - BEFORE : place + 1])
            owner.append(word)
    rows = np.array(windows, np.int64).reshape(-1, BEFORE + 1)
    pairs = np.stack([np.full(len(vocabulary.ids), stream.eos_token_id), vocabulary.ids], 1)
    parts: dict[str, list[list[np.ndarray]]] = {"in_context": [], "alone": []}
    for kind, block in (("in_context", rows), ("alone", pairs)):
        for begin in range(0, len(block), batch):
            caught = capture_all(model, sites, torch.from_numpy(block[begin : begin + batch]).to(model.device))
            parts[kind].append([values[:, -1].float().cpu().numpy() for values in caught])
    stacked = {
        kind: [np.concatenate(values).astype(np.float64) for values in zip(*blocks, strict=True)]
        for kind, blocks in parts.items()
    }
    counts = np.bincount(owner, minlength=len(vocabulary.ids))[:, None]
    total = [
        np.stack([np.bincount(owner, column, len(vocabulary.ids)) for column in x.T], 1) for x in stacked["in_context"]
    ]
    return {"in_context": [x / np.maximum(counts, 1) for x in total], "alone": stacked["alone"]}


def group_means(
    cosines: Float[np.ndarray, "words words"],
    group: Integer[np.ndarray, "permutations words"],
    sizes: Integer[np.ndarray, " groups"],
) -> Float[np.ndarray, " permutations"]:
    """Mean over groups of the mean cosine of two of their words, for many assignments of words to groups."""
    means = np.empty(len(group))
    for row, assigned in enumerate(group):
        member = np.eye(len(sizes))[assigned]
        within = (member * (cosines @ member)).sum(0) - member.T @ np.diag(cosines)
        means[row] = (within / (sizes * (sizes - 1))).mean()
    return means


def permute_groups(
    group: Integer[np.ndarray, " words"], counts: Integer[np.ndarray, " words"], rng: np.random.Generator, n: int
) -> Integer[np.ndarray, "n words"]:
    """n assignments in which words have swapped groups among their neighbours in frequency."""
    order = np.argsort(counts, kind="stable")
    permuted = np.empty((n, len(group)), int)
    for begin in range(0, len(order), STRATUM):
        # a short last stratum joins the one before, so that nobody has to stay
        stratum = order[begin : begin + STRATUM] if len(order) - begin >= 2 * STRATUM else order[begin:]
        permuted[:, stratum] = rng.permuted(np.tile(group[stratum], (n, 1)), axis=1)
        if len(order) - begin < 2 * STRATUM:
            break
    return permuted


def compare(x: Float[np.ndarray, "words d"], vocabulary: Vocabulary, seed: int) -> dict[str, Any]:
    """Difference and p-value at one site."""
    rng = np.random.default_rng(seed)
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    sizes = np.array([len(members) for members in vocabulary.groups])
    group = np.repeat(np.arange(len(sizes)), sizes)
    true = group_means(cosines, group[None], sizes)[0]
    permuted = group_means(cosines, permute_groups(group, vocabulary.counts, rng, PERMUTATIONS), sizes)
    control = permuted.mean()
    return {
        "similar": float(true),
        "control": float(control),
        "control_low": float(np.quantile(permuted, 0.025)),
        "control_high": float(np.quantile(permuted, 0.975)),
        "difference": float(true - control),
        "p": float((1 + (permuted >= true - 1e-12).sum()) / (1 + PERMUTATIONS)),
    }


def by_site(
    names: Sequence[str], vectors: dict[str, list[Float[np.ndarray, "words _"]]], vocabulary: Vocabulary, seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """`compare` for every site and both kinds of vectors."""
    return {
        name: {kind: compare(vectors[kind][number], vocabulary, seed) for kind in vectors}
        for number, name in enumerate(names)
    }
