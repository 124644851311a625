"""Bigram and trigram models with interpolated Kneser-Ney smoothing: what counting alone predicts.

The yardstick for the language models: a transformer that does not beat them has learnt nothing beyond counts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Integer


@dataclass(frozen=True)
class NGrams:
    """Sorted n-gram keys and their counts, for orders 1 to 3."""

    vocab_size: int
    """V: a key of order n is the n tokens read as digits of a number in base V."""
    keys: tuple[Int[np.ndarray, " _"], ...]
    """Per order, sorted."""
    counts: tuple[Float[np.ndarray, " _"], ...]
    """Per order: occurrences at order `top`, continuations below it."""


def _join(tokens: Integer[np.ndarray, " sample"], order: int, vocab_size: int) -> Int[np.ndarray, " ngram"]:
    """Every n-gram of a token stream as one integer in base `vocab_size`."""
    tokens = tokens.astype(np.int64)
    keys = np.zeros(max(len(tokens) - order + 1, 0), np.int64)
    for place in range(order):
        keys = keys * vocab_size + tokens[place : place + len(keys)]
    return keys


def count(tokens: Integer[np.ndarray, " sample"], order: int, vocab_size: int) -> NGrams:
    """Count n-grams up to `order`; the lower orders hold continuation counts (Kneser & Ney 1995).

    The continuation count of an n-gram is the number of different tokens that were seen before it.
    """
    keys, counts = [np.empty(0, np.int64)] * order, [np.empty(0)] * order
    keys[-1], occurrences = np.unique(_join(tokens, order, vocab_size), return_counts=True)
    counts[-1] = occurrences.astype(np.float64)
    for lower in range(order - 1, 0, -1):
        keys[lower - 1], kinds = np.unique(keys[lower] % vocab_size**lower, return_counts=True)
        counts[lower - 1] = kinds.astype(np.float64)
    return NGrams(vocab_size, tuple(keys), tuple(counts))


def _look_up(
    keys: Int[np.ndarray, " key"], values: Float[np.ndarray, " key"], wanted: Int[np.ndarray, " ngram"]
) -> Float[np.ndarray, " ngram"]:
    """Value of each wanted key, 0 where it was never seen."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0.0)


def token_nats(ngrams: NGrams, tokens: Integer[np.ndarray, " sample"]) -> Float[np.ndarray, " ngram"]:
    """-log P(token | the order-1 tokens before it), in nats, for every token that has so many before it.

    P_n(w|h) = max(c(hw) - D, 0) / c(h) + D N(h) / c(h) P_{n-1}(w|h'), with D = n_1 / (n_1 + 2 n_2) per order and
    P_0 uniform (Chen & Goodman 1999, interpolated Kneser-Ney).
    """
    order, vocab = len(ngrams.keys), ngrams.vocab_size
    n = len(tokens) - order + 1
    probability = np.full(n, 1 / vocab)
    for k in range(1, order + 1):
        keys, counts = ngrams.keys[k - 1], ngrams.counts[k - 1]
        once, twice = np.sum(counts == 1), np.sum(counts == 2)
        discount = once / (once + 2 * twice) if once and twice else 0.5
        wanted = _join(tokens, k, vocab)[order - k :]
        histories, first, kinds = np.unique(keys // vocab, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        history = wanted // vocab
        total = _look_up(histories, totals, history)
        seen = total > 0
        total = np.where(seen, total, 1.0)
        direct = np.maximum(_look_up(keys, counts, wanted) - discount, 0) / total
        passed_down = discount * _look_up(histories, kinds.astype(np.float64), history) / total
        probability = np.where(seen, direct + passed_down * probability, probability)
    return -np.log(probability)
