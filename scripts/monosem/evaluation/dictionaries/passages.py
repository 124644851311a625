"""Text around the tokens on which latents fire: examples, top tokens, and passages on which an automaton runs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from scripts.monosem.evaluation.dictionaries.codes import Tokens, Units
from scripts.monosem.evaluation.dictionaries.document import Passage
from scripts.monosem.evaluation.latents.document import Example
from scripts.monosem.evaluation.latents.examples import excerpt
from scripts.monosem.text.tokens import TokenStream

EXAMPLES = 3
"""Of a latent."""
LENGTH = 24
"""Tokens of a passage."""


@dataclass(frozen=True)
class Reader:
    """Text as a person reads it."""

    stream: TokenStream
    tokens: Tokens
    decode: Callable[[int], str]
    """Token id to text."""

    def top_tokens(self, units: Units, unit: int, n: int = 3) -> tuple[str, ...]:
        """The tokens with the largest share of a unit's activation."""
        column = units.activations[:, [unit]].tocoo()
        sums = np.bincount(self.tokens.token[column.row], column.data, self.stream.vocab_size)
        order = np.argsort(-sums, kind="stable")[:n]
        return tuple(self.decode(int(token)) for token in order if sums[token] > 0)

    def examples(self, units: Units, unit: int) -> tuple[Example, ...]:
        """The places of largest activation, one per document."""
        tokens, column = self.tokens, units.activations[:, unit].toarray().ravel()
        order = np.argsort(-column, kind="stable")[: int((column > 0).sum())]
        _, first = np.unique(tokens.document[order], return_index=True)
        chosen = order[np.sort(first)[:EXAMPLES]]
        return tuple(self._example(column, int(row)) for row in chosen)

    def _example(self, column: np.ndarray, row: int) -> Example:
        place = int(self.tokens.place[row])
        start = max(place - LENGTH, 0)
        ids = self.stream.tokens[start : place + LENGTH]
        shown = excerpt(ids, place - start, self.stream.eos_token_id)
        places = np.arange(start, start + len(ids))[shown]
        rows = np.searchsorted(self.tokens.place, places)
        read = np.append(self.tokens.place, -1)[rows] == places
        values = np.where(read, np.append(column, 0.0)[rows], 0.0)
        return Example(
            activation=float(column[row]),
            document=int(self.tokens.source_document[row]),
            source_position=place,
            tokens=tuple(self.decode(int(token)) for token in ids[shown]),
            activations=tuple(values.tolist()),
            peak=place - start - shown.start,
        )

    def passage(self, units: Units, nodes: tuple[int, ...], edges: Collection[tuple[int, int]]) -> Passage:
        """The stretch of scored text on which the automaton goes along the most edges, then fires the most."""
        dense = units.activations[:, list(nodes)].toarray()
        state = np.where(dense.max(1) > 0, np.array(nodes)[dense.argmax(1)], -1)
        place, document = self.tokens.place, self.tokens.document
        stay = (np.diff(place) == 1) & (np.diff(document) == 0)
        steps = zip(state[:-1].tolist(), state[1:].tolist(), strict=True)
        moved = np.array([step in edges for step in steps])
        n = min(LENGTH, len(place))
        sums = np.concatenate([[0.0], np.cumsum((moved & stay) + 0.01 * (state[1:] >= 0))])
        starts = np.arange(len(place) - n + 1)
        whole = np.concatenate([[0], np.cumsum(~stay)])
        fits = (whole[starts + n - 1] == whole[starts]) & self.tokens.scored[starts]
        gained = np.where(fits, sums[starts + n - 1] - sums[starts], -1.0)
        rows = slice(int(gained.argmax()), int(gained.argmax()) + n)
        return Passage(
            tuple(self.decode(int(token)) for token in self.tokens.token[rows]),
            tuple(int(one) if one >= 0 else None for one in state[rows]),
        )


def descendants(
    root: int, chosen: list[Mapping[int, tuple[int, ...]]], most: int
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, int, int], ...]]:
    """Descendants of a latent by dictionary, and edges (number of the parent's dictionary, parent, child).

    Args:
        chosen: for each dictionary but the last, parent -> its children in the next.
        most: children of a latent that are followed.
    """
    levels, edges = [(root,)], []
    for step, children in enumerate(chosen):
        joined = [(step, parent, child) for parent in levels[-1] for child in children.get(parent, ())[:most]]
        edges += joined
        levels.append(tuple(dict.fromkeys(child for *_, child in joined)))
    return tuple(levels), tuple(edges)
