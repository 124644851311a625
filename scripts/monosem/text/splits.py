"""Train, validation and test: which split a text belongs to, and how a long one is cut into documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from scripts.monosem.text import overlap
from scripts.monosem.text.normalise import digest

SPLITS = ("train", "validation", "test")
WHOLE = 0.25
"""A text is split whole up to this share of the smallest split; a longer one is cut into documents that are split."""
SHORTEST_CUT = 2000
"""Characters; shorter texts are split whole however few they are."""
REPEATED = 0.5
"""Share of a text's runs of words that stand in earlier texts, above which it is a near-duplicate."""
GROUPED = 0.2
"""Share of the runs of either of two texts that stand in the other, above which they belong to one group."""
HELD_OUT = 0.1
"""Share of a group's words that may be in other groups' runs where it is held out."""
FAR = 0.25
"""Relative difference of a split's share from the one asked for that is announced."""


def split_at(place: float, shares: dict[str, float]) -> str:
    """Split that a place in [0, 1) belongs to: the shares one after the other."""
    bound = 0.0
    for split in SPLITS:
        bound += shares[split]
        if place < bound:
            return split
    return SPLITS[-1]


def assign_split(key: str, shares: dict[str, float]) -> str:
    """Split of a key: its hash as a number in [0, 1), cut at the cumulated shares. Depends on nothing else."""
    return split_at(int.from_bytes(digest(key)[:8], "big") / 2**64, shares)


def cut(text: str, max_characters: int) -> list[str]:
    """Pieces of at most `max_characters`, cut at a line end where there is one; together they are the text."""
    pieces, start = [], 0
    while len(text) - start > max_characters:
        end = text.rfind("\n", start, start + max_characters) + 1 or start + max_characters
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def longest_whole(texts: Sequence[str], shares: dict[str, float]) -> int:
    """Characters up to which a text is split whole: WHOLE of the smallest split that gets any, or SHORTEST_CUT."""
    smallest = min((share for share in shares.values() if share), default=1.0)
    return max(SHORTEST_CUT, int(WHOLE * smallest * sum(map(len, texts))))


@dataclass(frozen=True)
class Assignment:
    """The split of every text, and the numbers behind it."""

    splits: list[str | None]
    """None for a near-duplicate, which is left out."""
    facts: dict[str, float | int]
    """For the manifest."""


def _pool(
    overlap: Float[np.ndarray, " text"],
    sizes: Int[np.ndarray, " text"],
    eligible: Bool[np.ndarray, " text"],
    share: float,
) -> tuple[Bool[np.ndarray, " text"], float]:
    """Texts that may be held out, and the overlap up to which they may: HELD_OUT, or more where those are too few."""
    order = np.flatnonzero(eligible)[np.argsort(overlap[eligible], kind="stable")]
    enough = np.searchsorted(np.cumsum(sizes[order]), share * sizes.sum())
    bound = max(HELD_OUT, float(overlap[order[min(enough, len(order) - 1)]])) if len(order) else HELD_OUT
    return eligible & (overlap <= bound), bound


def _splits_of_groups(
    texts: Sequence[str],
    group: Int[np.ndarray, " text"],
    sizes: Int[np.ndarray, " text"],
    by_hash: set[int],
    shares: dict[str, float],
) -> dict[int, str]:
    """Split of every group, under the number of its first text.

    Those in `by_hash` get the one of that text's hash; the others fill the splits in the order of their hash.
    """  # fmt: skip
    of_group = {head: assign_split(texts[head], shares) for head in by_hash}
    others = sorted((digest(texts[head]), head) for head in set(group.tolist()) - by_hash)
    total, before = sum(int(sizes[group == head].sum()) for _, head in others), 0
    for _, head in others:
        size = int(sizes[group == head].sum())
        of_group[head] = split_at((before + size / 2) / total, shares)
        before += size
    return of_group


def assign(texts: Sequence[str], is_part: Sequence[bool], shares: dict[str, float]) -> Assignment:
    """Leave out near-duplicates, and give every other text a split, so that little held-out text stands in train.

    Texts that share much form a group, and a group has one split, by the hash of its first text: it keeps it when
    other texts come. Parts of long texts fill the splits in the order of their hash. Only groups of which at most
    HELD_OUT stands in other ones are held out, with shares raised accordingly.
    """
    every = overlap.runs(overlap.words(texts))
    dropped = overlap.repeated(every, REPEATED)
    every = overlap.without(every, dropped)
    sizes = np.where(dropped, 0, [len(text) for text in texts])
    longest = longest_whole(texts, shares)
    group = overlap.groups(every, GROUPED)
    largest = int(np.bincount(group, sizes).max(initial=0))
    too_large = np.bincount(group, sizes, len(texts))[group] > longest
    group = np.where(too_large, np.arange(len(texts)), group)  # each by itself: it may be clean beside the others
    shared = overlap.shared_with_other_groups(every, group)
    held_out = 1 - shares[SPLITS[0]]
    fits = np.bincount(group, sizes, len(texts))[group] <= longest
    eligible = ~dropped & (fits | np.array(is_part, bool))
    pool, bound = _pool(shared, sizes, eligible, held_out)
    pool_share = float(sizes[pool].sum() / max(sizes.sum(), 1))
    raised = {split: shares[split] / max(pool_share, held_out, 1e-9) for split in SPLITS[1:]}
    raised = {SPLITS[0]: max(0.0, 1 - sum(raised.values()))} | raised
    chosen = np.flatnonzero(pool)
    whole = set(group[chosen].tolist()) - set(group[np.flatnonzero(is_part)].tolist())
    of_group = _splits_of_groups(texts, group[chosen], sizes[chosen], whole, raised)
    splits: list[str | None] = [None if gone else SPLITS[0] for gone in dropped]
    for number in chosen:
        splits[number] = of_group[int(group[number])]
    facts = {
        "words_of_a_run": overlap.N,
        "near_duplicate_above": REPEATED,
        "one_group_above": GROUPED,
        "groups": len(np.unique(group[~dropped])),
        "largest_group_share": largest / max(int(sizes.sum()), 1),
        "held_out_up_to": bound,
        "may_be_held_out_share": pool_share,
    }
    return Assignment(splits, facts)


def far_from(sizes: dict[str, int], shares: dict[str, float]) -> str:
    """The splits whose share of the characters is far from the one asked for, in words; empty where none is."""
    given = {name: sizes[name] / sum(sizes.values()) for name in SPLITS}
    far = [name for name in SPLITS if abs(given[name] - shares[name]) > max(FAR * shares[name], 0.01)]
    return ", ".join(f"{name} {given[name]:.3f} (asked: {shares[name]:g})" for name in far)
