"""A trie of token patterns read backwards from the activating token, and its predictions on text (Foote et al. 2023).

Semantics of Gao et al. 2024 (released code, explanations.py): at each step the exact child first, else the wildcard;
the first leaf ends the walk; no leaf means 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Integer

WILDCARD = -1
ABSENT = -2
"""In `Backwards.tokens`: before the window, or before its document."""


@dataclass
class Node:
    """One token of a pattern, or the root."""

    children: dict[int, "Node"] = field(default_factory=dict)
    """By token id, or WILDCARD."""
    total: float = 0.0
    """Σ activation of the patterns that end here."""
    patterns: int = 0
    """Number of those that end here: above 0 at a leaf."""

    def add(self, pattern: tuple[int, ...], activation: float) -> None:
        """Add a pattern of one token or more, its activating token first."""
        node = self
        for token in pattern:
            node = node.children.setdefault(token, Node())
        node.total += activation
        node.patterns += 1

    def leaves(self, pattern: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], float]]:
        """Patterns that a walk can reach, with their mean activation."""
        if self.patterns:
            yield pattern, self.total / self.patterns
            return
        for token, child in self.children.items():
            yield from child.leaves((*pattern, token))


@dataclass(frozen=True)
class Backwards:
    """Text as walks need it: the tokens before each row."""

    tokens: Integer[np.ndarray, "n reach"]
    """Column j is the token j places before; ABSENT where there is none."""
    by_token: Integer[np.ndarray, " n"]
    """Rows sorted by their own token."""
    bounds: Integer[np.ndarray, " boundaries"]
    """First of each token in `by_token`, then n."""

    @classmethod
    def of(
        cls, stream: Integer[np.ndarray, " token"], places: Integer[np.ndarray, " n"],
        starts: Integer[np.ndarray, " n"], reach: int, vocab: int, eos_token_id: int,
    ) -> "Backwards":  # fmt: skip
        """Rows at `places` of a stream whose windows begin at `starts` (one per row).

        <|endoftext|> and what is before it are absent: patterns end at the beginning of a document.
        """
        back = places[:, None] - np.arange(reach)
        tokens = stream[np.maximum(back, 0)].astype(np.int64)
        absent = (back < starts[:, None]) | (tokens == eos_token_id)
        tokens[np.logical_or.accumulate(absent, axis=1)] = ABSENT
        order = np.argsort(tokens[:, 0], kind="stable")
        return cls(tokens, order, np.searchsorted(tokens[order, 0], np.arange(vocab + 1)))


def predict(root: Node, text: Backwards) -> tuple[Integer[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Rows on which a pattern ends, ascending, and the activation that it predicts; 0 on all others."""
    rows, values = [np.empty(0, np.int64)], [np.empty(0)]

    def walk(node: Node, here: Integer[np.ndarray, " rows"], depth: int) -> None:
        if not len(here):
            return
        if node.patterns:
            rows.append(here)
            values.append(np.full(len(here), node.total / node.patterns))
            return
        if depth == text.tokens.shape[1]:
            return
        tokens = text.tokens[here, depth]
        rest = tokens != ABSENT
        for token, child in node.children.items():
            if token != WILDCARD:
                same = tokens == token
                rest &= ~same
                walk(child, here[same], depth + 1)
        if WILDCARD in node.children:
            walk(node.children[WILDCARD], here[rest], depth + 1)

    # at the root most rows fit no child: they are looked up by token
    exact = [token for token in root.children if token != WILDCARD]
    for token in exact:
        walk(root.children[token], text.by_token[text.bounds[token] : text.bounds[token + 1]], 1)
    if WILDCARD in root.children:
        rest = np.isin(text.tokens[:, 0], [*exact, ABSENT], invert=True)
        walk(root.children[WILDCARD], np.flatnonzero(rest), 1)
    joined = np.concatenate(rows)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(values)[order]
