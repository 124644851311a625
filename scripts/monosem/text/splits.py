"""Train, validation and test: which split a text belongs to, and how a long one is cut into documents."""

from collections.abc import Iterator, Sequence

from scripts.monosem.text.normalise import digest

SPLITS = ("train", "validation", "test")
WHOLE = 0.25
"""A text is split whole up to this share of the smallest split; a longer one is cut into documents that are split."""
SHORTEST_CUT = 2000
"""Characters; shorter texts are split whole however few they are."""
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


def documents_of(texts: Sequence[str], shares: dict[str, float], max_characters: int) -> Iterator[tuple[int, str, str]]:
    """Number of the text, split and text of every document, so that the splits get their shares of the characters.

    A text goes to one split by its hash, unless it is long beside the splits: then it is cut, and the documents of all
    such texts, in the order of their hash, fill the splits. Equal ones among them are one document.
    """
    longest = longest_whole(texts, shares)
    pieces: dict[bytes, tuple[int, str]] = {}
    for number, text in enumerate(texts):
        if len(text) > longest:
            for piece in cut(text, min(longest, max_characters)):
                pieces.setdefault(digest(piece), (number, piece))
        else:
            split = assign_split(text, shares)
            yield from ((number, split, piece) for piece in cut(text, max_characters))
    total, before = sum(len(piece) for _, piece in pieces.values()), 0
    for _, (number, piece) in sorted(pieces.items()):
        yield number, split_at((before + len(piece) / 2) / total, shares), piece
        before += len(piece)


def far_from(sizes: dict[str, int], shares: dict[str, float]) -> str:
    """The splits whose share of the characters is far from the one asked for, in words; empty where none is."""
    given = {name: sizes[name] / sum(sizes.values()) for name in SPLITS}
    far = [name for name in SPLITS if abs(given[name] - shares[name]) > max(FAR * shares[name], 0.01)]
    return ", ".join(f"{name} {given[name]:.3f} (asked: {shares[name]:g})" for name in far)
