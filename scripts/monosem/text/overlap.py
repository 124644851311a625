"""Text that stands verbatim in other text: runs of N words (or tokens) that two documents share.

Documents are packed one behind the other; a run never crosses from one into the next. Runs are compared by 64-bit
hashes. Lee et al. 2022 (Deduplicating Training Data Makes Language Models Better) count the same way, with N = 50.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

N = 16
"""Units of a run: words where the corpus is built, tokens where it is measured."""
TABLE_BITS = 24
"""Of a table of 16 MB, which a few million hashes fill by a tenth or so."""
_WORD = re.compile(r"\w{1,8}|[^\w\s]")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Runs:
    """Every run of N units of packed documents."""

    lengths: Int[np.ndarray, " document"]
    """Units of each document."""
    number: Int[np.ndarray, " run"]
    """Equal runs have equal numbers, from 0."""
    document: Int[np.ndarray, " run"]
    """Document of each run, ascending."""
    start: Int[np.ndarray, " run"]
    """Place of its first unit in the packed documents."""

    @property
    def n_different(self) -> int:
        """Number of different runs."""
        return int(self.number.max(initial=-1)) + 1


def words(texts: Iterable[str]) -> list[Int[np.ndarray, " unit"]]:
    """Words and punctuation marks of every text, as numbers; words of more than eight letters are several units."""
    known: dict[str, int] = {}
    spans = (_WORD.findall(text) for text in texts)
    return [np.fromiter((known.setdefault(word, len(known)) for word in row), np.int64, len(row)) for row in spans]


def hashes(units: Integer[np.ndarray, " unit"], n_kinds: int) -> UInt64[np.ndarray, " run"]:
    """Polynomial hash of the run that starts at each unit (0 to n_kinds - 1); the last N - 1 units start none."""
    table = np.random.default_rng(0).integers(0, 2**64, n_kinds, dtype=np.uint64)
    spans = np.zeros(max(0, len(units) - N + 1), np.uint64)
    for offset in range(N):
        spans *= _MULTIPLIER
        spans += table[units[offset : offset + len(spans)]]
    return spans


def runs(documents: list[Int[np.ndarray, " _"]]) -> Runs:
    """All runs of documents of units; one shorter than N units has none."""
    lengths = np.array([len(document) for document in documents], np.int64)
    of_unit = np.repeat(np.arange(len(documents)), lengths)
    packed = np.concatenate([*documents, np.zeros(0, np.int64)])
    spans = hashes(packed, int(packed.max(initial=0)) + 1)
    start = np.flatnonzero(of_unit[: len(spans)] == of_unit[N - 1 :]) if len(spans) else np.zeros(0, np.int64)
    number = np.unique(spans[start], return_inverse=True)[1]
    return Runs(lengths, number, of_unit[start], start)


def repeated(every: Runs, share: float) -> Bool[np.ndarray, " document"]:
    """Documents of whose runs more than `share` stand in earlier documents that are not repeated themselves."""
    seen = np.zeros(every.n_different, bool)
    bounds = np.searchsorted(every.document, np.arange(len(every.lengths) + 1))
    spans = np.zeros(len(every.lengths), bool)
    for document, (first, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        numbers = every.number[first:end]
        if len(numbers) and seen[numbers].mean() > share:
            spans[document] = True
        else:
            seen[numbers] = True
    return spans


def without(every: Runs, dropped: Bool[np.ndarray, " document"]) -> Runs:
    """The runs of the documents that are not dropped; documents keep their numbers, dropped ones have length 0."""
    lengths = np.where(dropped, 0, every.lengths)
    kept = ~dropped[every.document]
    document = every.document[kept]
    moved = np.cumsum(every.lengths - lengths)[document]
    return Runs(lengths, every.number[kept], document, every.start[kept] - moved)


def groups(every: Runs, share: float) -> Int[np.ndarray, " document"]:
    """Group of every document: the number of its first document.

    A document joins that of an earlier one which is the first to hold more than `share` of the runs of either.
    """
    n_documents = len(every.lengths)
    first = np.zeros(every.n_different, np.int64)
    first[every.number[::-1]] = every.document[::-1]
    holder = first[every.number]
    other = holder != every.document
    pair, shared = np.unique(every.document[other] * n_documents + holder[other], return_counts=True)
    later, earlier = pair // n_documents, pair % n_documents
    n_runs = np.bincount(every.document, minlength=n_documents)
    linked = shared > share * np.minimum(n_runs[later], n_runs[earlier])
    graph = coo_array((np.ones(linked.sum()), (later[linked], earlier[linked])), shape=(n_documents, n_documents))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels, return_index=True)[1][labels]


def _covered(places: Int[np.ndarray, " _"], n_units: int) -> Bool[np.ndarray, " unit"]:
    """True for each unit of the runs that start at `places`."""
    edges = np.bincount(places, minlength=n_units + N) - np.bincount(places + N, minlength=n_units + N)
    return np.cumsum(edges)[:n_units] > 0


def shared_with_other_groups(every: Runs, group: Int[np.ndarray, " document"]) -> Float[np.ndarray, " document"]:
    """Share of the units of each document's group that lie in a run which stands in another group, too."""
    of_run, n_documents = group[every.document], len(group)
    lowest, highest = np.full(every.n_different, n_documents), np.full(every.n_different, -1)
    np.minimum.at(lowest, every.number, of_run)
    np.maximum.at(highest, every.number, of_run)
    covered = _covered(every.start[(lowest != highest)[every.number]], int(every.lengths.sum()))
    of_unit = np.repeat(group, every.lengths)
    shared, all_units = (np.bincount(of_unit, weights, n_documents) for weights in (covered, None))
    return (shared / np.maximum(all_units, 1))[group]


def verbatim(
    train: Integer[np.ndarray, " train_unit"],
    train_starts: Int[np.ndarray, " train_document"],
    held_out: Integer[np.ndarray, " unit"],
    starts: Int[np.ndarray, " document"],
) -> Bool[np.ndarray, " unit"]:
    """True for each held-out token in a run of N tokens that stands in the train split.

    Tokens are packed, and every document starts with <|endoftext|> (at `starts`), which is in no run.
    """
    n_kinds = 1 + max(int(train.max(initial=0)), int(held_out.max(initial=0)))

    def of_runs(tokens: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spans = hashes(tokens, n_kinds)
        document = np.cumsum(np.bincount(bounds, minlength=len(tokens)))
        same = document[: len(spans)] == document[N - 1 : N - 1 + len(spans)]
        same[bounds[bounds < len(spans)]] = False
        return spans[same], np.flatnonzero(same)

    spans, places = of_runs(held_out, starts)
    return _covered(places[_are_among(spans, of_runs(train, train_starts)[0])], len(held_out))


def _are_among(few: UInt64[np.ndarray, " few"], many: UInt64[np.ndarray, " many"]) -> Bool[np.ndarray, " few"]:
    """True for each hash of `few` that is in `many`.

    A table of the lowest bits tells which of `many` can matter, so that few of them are sorted.
    """
    bits = np.uint64((1 << TABLE_BITS) - 1)
    wanted = np.zeros(1 << TABLE_BITS, bool)
    wanted[few & bits] = True
    known = np.sort(many[wanted[many & bits]])
    if not len(known):
        return np.zeros(len(few), bool)
    return known[np.minimum(np.searchsorted(known, few), len(known) - 1)] == few
