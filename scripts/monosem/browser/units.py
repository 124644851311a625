"""Counts, top tokens and examples of every unit; examples are places in one shared text."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from scripts.monosem.evaluation.latents.examples import FEWEST_OCCURRENCES, REACH
from scripts.monosem.metrics.information import distribution_entropy

TOP = 10
"""Windows with the largest activations, one example each."""
INTERVALS = 4
"""Parts of the range from 0 to the maximum, the highest fifth aside, with random examples."""
PER_INTERVAL = 2
LISTED_TOKENS = 6
BINS = 24
"""Of the histogram of activations above 0."""
NO_PLACE = 2**32 - 1
"""In the place of an example that does not exist."""


@dataclass(frozen=True)
class Reading:
    """Windows of text, and the activations of some units on them."""

    tokens: Integer[np.ndarray, "windows context"]
    labels: Integer[np.ndarray, "windows context"]
    """Index into corpus.LABELS."""
    places: Integer[np.ndarray, " n"]
    """Place of each row of `activations` among the flattened tokens, ascending."""
    activations: sparse.csr_matrix
    """[n, units], above 0 where there is an entry."""
    vocab: int
    """Tokens of the vocabulary."""


def tables(reading: Reading, n_labels: int, seed: int) -> dict[str, np.ndarray]:
    """Arrays with a row per unit.

    Returns: density, max; histogram [units, BINS]; label_counts [units, n_labels]; effective_tokens (exp of the entropy
        of the activation summed per token; 0 for a silent unit); top_tokens and top_means [units, LISTED_TOKENS], by
        mean activation over a token's occurrences; example_places [units, examples] and example_activations
        [units, examples, 2 REACH + 1], in 255ths of the unit's maximum, rounded up.
    """
    n, units = reading.activations.shape
    columns, tokens = reading.activations.tocsc(), reading.tokens.ravel()
    context, labels = reading.tokens.shape[1], reading.labels.ravel()
    occurrences = np.bincount(tokens[reading.places], minlength=reading.vocab)
    n_examples = TOP + INTERVALS * PER_INTERVAL
    made = {
        "density": np.diff(columns.indptr).astype(np.float32) / n,
        "max": np.zeros(units, np.float32),
        "histogram": np.zeros((units, BINS), np.uint32),
        "label_counts": np.zeros((units, n_labels), np.uint32),
        "effective_tokens": np.zeros(units, np.float32),
        "top_tokens": np.zeros((units, LISTED_TOKENS), np.uint32),
        "top_means": np.zeros((units, LISTED_TOKENS), np.float32),
        "example_places": np.full((units, n_examples), NO_PLACE, np.uint32),
        "example_activations": np.zeros((units, n_examples, 2 * REACH + 1), np.uint8),
    }
    track = np.zeros(tokens.size + 2 * REACH, np.float32)
    for unit in range(units):
        part = slice(columns.indptr[unit], columns.indptr[unit + 1])
        places, values = reading.places[columns.indices[part]], columns.data[part]
        if not len(values):
            continue
        largest = values.max()
        made["max"][unit] = largest
        bins = np.minimum((values / largest * BINS).astype(int), BINS - 1)
        made["histogram"][unit] = np.bincount(bins, minlength=BINS)
        made["label_counts"][unit] = np.bincount(labels[places], minlength=n_labels)
        ids, means, effective = top_tokens(tokens[places], values, occurrences)
        made["top_tokens"][unit, : len(ids)], made["top_means"][unit, : len(ids)] = ids, means
        made["effective_tokens"][unit] = effective
        chosen = examples(places, values, context, np.random.default_rng([seed, unit]))
        made["example_places"][unit, : len(chosen)] = chosen
        track[places + REACH] = values / largest
        around = track[chosen[:, None] + np.arange(2 * REACH + 1)]
        made["example_activations"][unit, : len(chosen)] = np.ceil(255 * around - 1e-4)
        track[places + REACH] = 0
    return made


def top_tokens(
    tokens: Integer[np.ndarray, " fired"],
    values: Float[np.ndarray, " fired"],
    occurrences: Integer[np.ndarray, " vocab"],
) -> tuple[Integer[np.ndarray, " listed"], Float[np.ndarray, " listed"], float]:
    """Tokens of the largest mean activation over all their occurrences, the means, and the effective number of tokens.

    Tokens that are too rare are listed only where the unit fires on no others.
    """
    ids, group = np.unique(tokens, return_inverse=True)
    sums = np.bincount(group, weights=values)
    means = sums / np.maximum(occurrences[ids], 1)
    rare = occurrences[ids] < FEWEST_OCCURRENCES
    order = np.lexsort((-means, rare))[:LISTED_TOKENS]
    entropy = distribution_entropy(sums[None])
    return ids[order], means[order].astype(np.float32), float(np.exp(entropy[0]))


def examples(
    places: Integer[np.ndarray, " fired"], values: Float[np.ndarray, " fired"], context: int, rng: np.random.Generator
) -> Integer[np.ndarray, " chosen"]:
    """Places of the largest activations, one per window, then random ones by interval from high to low, other windows.

    An interval without a place leaves none; the page finds an example's interval from its activation.
    """
    order = np.argsort(-values, kind="stable")
    _, first = np.unique(places[order] // context, return_index=True)
    best = order[np.sort(first)][:TOP]
    chosen, seen = [places[best]], set((places[best] // context).tolist())
    share = values / values.max()
    for number in reversed(range(INTERVALS)):
        low, high = number / (INTERVALS + 1), (number + 1) / (INTERVALS + 1)
        inside = np.flatnonzero((share > low) & (share <= high))
        fresh = [place for place in places[rng.permutation(inside)[:50]].tolist() if place // context not in seen]
        chosen.append(np.array(fresh[:PER_INTERVAL], dtype=places.dtype))
        seen.update(place // context for place in fresh[:PER_INTERVAL])
    return np.concatenate(chosen)
