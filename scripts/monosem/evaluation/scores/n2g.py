"""Neuron to graph (Foote et al. 2023): patterns of tokens that stand for a unit, found by running the model.

Per unit: activating examples of the validation split; the shortest suffix of each that keeps half of the activation;
the tokens of it that matter, by masking each; substitutes for these that activate too; all of it in a trie (trie.py),
whose predictions are scored on text that it has not seen.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.scores.populations import Sample
from scripts.monosem.evaluation.scores.token_vectors import TokenVectors
from scripts.monosem.evaluation.scores.trie import ABSENT, WILDCARD, Backwards, Node
from scripts.monosem.models import sites

KEPT = 0.5
"""Share of an example's activation that its suffix must keep, and a substitute of the suffix's."""
SALIENT = 0.5
"""Share of the suffix's activation that is lost where a token that matters is masked."""
LENGTHS = (1, 2, 3, 4, 6, 8)
"""Lengths of suffixes that are tried."""
SUBSTITUTES = 4
"""Tokens nearest to one that matters, by neighbours in text, that are tried in its place."""
PROMPTS = 2048
"""Prompts of one forward pass."""

CONVENTIONS = {
    "n2g": f"Foote et al. 2023: shortest suffix with {KEPT:g} of the activation (up to {LENGTHS[-1]} tokens), "
    f"behind <|endoftext|>; a token matters if a random one in its place costs {SALIENT:g} of the activation, and if "
    f"none does, all do; up to {SUBSTITUTES} substitutes by neighbours in text; exact child first, then wildcard",
    "n2g_examples": "validation split, half of them the largest activations, the other half random activating tokens",
}


@dataclass(frozen=True)
class Suffixes:
    """Prompts of one length with the unit that reads them."""

    place: Integer[np.ndarray, " n"]
    """Unit of the sample."""
    tokens: Integer[np.ndarray, "n length"]
    """The activating token first, then those before it."""
    activation: Float[np.ndarray, " n"]
    """Of the unit, on the suffix alone."""


def activations(
    sample: Sample, place: Integer[np.ndarray, " n"], tokens: Integer[np.ndarray, "n length"], eos_token_id: int
) -> Float[np.ndarray, " n"]:
    """Activation of a unit each on prompts: <|endoftext|> and the tokens, of which the last is read."""
    model, parts = sample.population.model, [np.empty(0)]
    forwards = np.concatenate([np.full((len(tokens), 1), eos_token_id), tokens[:, ::-1]], axis=1)
    for begin in range(0, len(forwards), PROMPTS):
        rows = slice(begin, begin + PROMPTS)
        prompts = torch.from_numpy(forwards[rows]).to(model.device)
        x = sites.capture(model, sample.population.site, prompts, eos_token_id)[:, -1].float()
        parts.append(sample.read(x, place[rows]))
    return np.concatenate(parts)


def examples(sample: Sample, n: int, seed: int) -> Iterator[tuple[int, int, float]]:
    """(unit of the sample, row, activation): the largest activations, and as many random ones, n in all."""
    random = np.random.default_rng(seed)
    for place in range(len(sample.index)):
        rows, values = sample.column("validation", place)
        largest = np.argsort(-values, kind="stable")[: n // 2]
        left = np.ones(len(rows), bool)
        left[largest] = False
        others = np.flatnonzero(left)
        for each in [*largest, *random.permutation(others)[: n - len(largest)]]:
            yield place, int(rows[each]), float(values[each])


def shortest_suffixes(
    sample: Sample, firing: list[tuple[int, int, float]], text: Backwards, eos_token_id: int
) -> list[Suffixes]:  # fmt: skip
    """The shortest suffix of each example that keeps enough of its activation, by length.

    An example that no length suffices for is left with the longest, if the unit fires there at all.
    """
    if not firing:
        return []
    place, rows, target = (np.array(column) for column in zip(*firing, strict=True))
    available = (text.tokens[rows] != ABSENT).sum(1)
    open_ = np.ones(len(rows), bool)
    result = []
    for step, length in enumerate(LENGTHS):
        following = LENGTHS[step + 1] if step + 1 < len(LENGTHS) else np.inf
        here = np.flatnonzero(open_ & (available >= length))
        tokens = text.tokens[rows[here], :length]
        values = activations(sample, place[here], tokens, eos_token_id)
        enough = values >= KEPT * target[here]
        last = (available[here] < following) & (values > 0)
        done = enough | last
        result.append(Suffixes(place[here][done], tokens[done], values[done]))
        open_[here[done]] = False
    return result


def salient(
    sample: Sample, suffixes: Suffixes, replacements: Integer[np.ndarray, "n length"], eos_token_id: int
) -> Bool[np.ndarray, "n length"]:
    """Tokens of the suffixes whose replacement by a random one costs enough of the activation."""
    left = np.zeros(suffixes.tokens.shape)
    for position in range(left.shape[1]):
        changed = suffixes.tokens.copy()
        changed[:, position] = replacements[:, position]
        left[:, position] = activations(sample, suffixes.place, changed, eos_token_id)
    return left <= (1 - SALIENT) * suffixes.activation[:, None]


def substituted(
    sample: Sample, suffixes: Suffixes, matters: Bool[np.ndarray, "n length"], vectors: TokenVectors, eos_token_id: int
) -> Iterator[tuple[int, int, Integer[np.ndarray, " length"], float]]:
    """(suffix, position, tokens, activation) with a token that matters replaced, where the unit still fires enough."""
    origin, position = np.nonzero(matters & vectors.usual[suffixes.tokens])
    present = np.unique(suffixes.tokens[origin, position]).tolist()
    nearest = {token: vectors.nearest(token, SUBSTITUTES) for token in present}
    changed = suffixes.tokens[np.repeat(origin, SUBSTITUTES)].copy()
    position, origin = np.repeat(position, SUBSTITUTES), np.repeat(origin, SUBSTITUTES)
    if not len(origin):
        return
    each = np.arange(len(origin))
    originals = suffixes.tokens[origin, position]
    changed[each, position] = [nearest[token][i % SUBSTITUTES] for i, token in enumerate(originals)]
    values = activations(sample, suffixes.place[origin], changed, eos_token_id)
    for i in np.flatnonzero(values >= KEPT * suffixes.activation[origin]):
        yield int(origin[i]), int(position[i]), changed[i], float(values[i])


def _pattern(tokens: Integer[np.ndarray, " length"], matters: Bool[np.ndarray, " length"]) -> tuple[int, ...]:
    """Tokens with wildcards for those that do not matter, up to the farthest that does; all where none does alone."""
    if not matters.any():
        return tuple(tokens.tolist())
    pattern = np.where(matters, tokens, WILDCARD)
    return tuple(pattern[: int(np.flatnonzero(matters)[-1]) + 1].tolist())


def fit(
    sample: Sample, text: Backwards, train_counts: Integer[np.ndarray, " vocab"], vectors: TokenVectors,
    n_examples: int, eos_token_id: int, seed: int,
) -> list[Node]:  # fmt: skip
    """A trie per unit of the sample, from examples of the validation split (`text`)."""
    tries: dict[int, Node] = defaultdict(Node)
    frequency = np.where(np.arange(len(train_counts)) == eos_token_id, 0.0, train_counts)
    random, frequency = np.random.default_rng(seed), frequency / frequency.sum()
    firing = list(examples(sample, n_examples, seed))
    for suffixes in shortest_suffixes(sample, firing, text, eos_token_id):
        if not len(suffixes.place):
            continue
        replacements = random.choice(len(frequency), suffixes.tokens.shape, p=frequency)
        matters = salient(sample, suffixes, replacements, eos_token_id)
        for unit, tokens, important, value in zip(
            suffixes.place, suffixes.tokens, matters, suffixes.activation, strict=True
        ):
            tries[int(unit)].add(_pattern(tokens, important), float(value))
        for origin, _, tokens, value in substituted(sample, suffixes, matters, vectors, eos_token_id):
            tries[int(suffixes.place[origin])].add(_pattern(tokens, matters[origin]), value)
    return [tries[place] for place in range(len(sample.index))]
