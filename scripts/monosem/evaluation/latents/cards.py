"""One card per unit: its statistics, its top tokens, examples with context, and its logit weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.latents import examples
from scripts.monosem.evaluation.latents.document import Card, Example, LogitWeights, TokenWeight, TopToken
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.evaluation.latents.unit_activations import Subject, Text, read_blocks
from scripts.monosem.metrics import information

LISTED = 10
"""Top tokens, and logit weights at either end."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens, as cards need them."""

    decode: Callable[[int | np.integer], str]
    """Token id to text."""
    occurrences: Integer[np.ndarray, " vocab"]
    """In the text read."""
    usual: Bool[np.ndarray, " vocab"]
    """Tokens frequent enough in training for their logit weights to mean something."""


@dataclass(frozen=True)
class Units:
    """The units that get a card: the first of a tally."""

    kind: str
    """"latents" or "neurons"."""
    tally: examples.UnitTally
    """Of these and possibly further units."""
    n: int
    """Cards."""
    n_examples: int
    """Examples per card."""

    @property
    def index(self) -> Integer[np.ndarray, " units"]:
        """Numbers of the units."""
        return self.tally.index[: self.n]


def weights_of(subject: Subject, units: Units, usual: Bool[np.ndarray, " vocab"]) -> Float[np.ndarray, "units vocab"]:
    """Logit weights of the units; NaN for unusual tokens."""
    chosen = torch.from_numpy(units.index).to(subject.sae.W_dec.device)
    basis = torch.eye(subject.site.d, device=chosen.device) if units.kind == "neurons" else subject.sae.W_dec
    weights = logit_weights(subject.model, subject.site, basis[chosen], usual).cpu().numpy()
    weights[:, ~usual] = np.nan
    return weights


def example_activations(subject: Subject, text: Text, units: Units) -> dict[int, Float[np.ndarray, "context units"]]:
    """Activations of all units on every window that is an example of one of them, by the window's offset."""
    index, tally = units.index, units.tally
    best = (slice(None, len(index)), slice(None, units.n_examples))
    activations = {}
    for block in read_blocks(subject, text.stream, np.unique(tally.start[best][tally.peak[best] > 0])):
        latents = units.kind == "latents"
        columns = block.latent_columns(index, subject.sae.d_sae) if latents else block.neuron_columns(index)
        grid = np.zeros((*block.kept.shape, len(index)), np.float32)
        grid[block.kept] = columns
        activations |= dict(zip(block.starts.tolist(), grid, strict=True))
    return activations


def example(
    tally: examples.UnitTally, unit: int, rank: int, text: Text, window: Float[np.ndarray, " context"],
    decode: Callable[[int | np.integer], str],
) -> Example:  # fmt: skip
    """The example of a rank; `window` has the unit's activations on its window."""
    start, place = int(tally.start[unit, rank]), int(tally.place[unit, rank])
    tokens = text.stream.tokens[start : start + len(window)]
    shown = examples.excerpt(tokens, place - start, text.stream.eos_token_id)
    return Example(
        activation=float(tally.peak[unit, rank]),
        document=int(np.searchsorted(text.stream.documents, place, side="right") - 1),
        source_position=place,
        tokens=tuple(decode(token) for token in tokens[shown]),
        activations=tuple(window[shown].tolist()),
        peak=place - start - shown.start,
    )


def ends(weights: Float[np.ndarray, " vocab"], vocabulary: Vocabulary) -> LogitWeights:
    """The usual tokens of largest and of smallest logit weight."""

    def listed(sign: int) -> tuple[TokenWeight, ...]:
        order = np.argsort(-sign * weights, kind="stable")[: min(LISTED, int(vocabulary.usual.sum()))]
        return tuple(TokenWeight(int(token), vocabulary.decode(token), float(weights[token])) for token in order)

    return LogitWeights(listed(1), listed(-1))


def cards(subject: Subject, text: Text, units: Units, vocabulary: Vocabulary) -> tuple[Card, ...]:
    """Cards of the units, from what their tally has seen of the text."""
    index, tally, decode = units.index, units.tally, vocabulary.decode
    entropy = information.distribution_entropy(tally.token_sums[:, : len(index)].T)
    single = examples.single_token(tally, text.stream.tokens)
    weights = None
    if reason_unavailable(subject.site) is None and len(index):
        weights = weights_of(subject, units, vocabulary.usual)
    activations = example_activations(subject, text, units)
    return tuple(
        Card(
            index=int(number),
            density=float(tally.fired[unit] / tally.n_tokens),
            max_activation=float(tally.peak[unit, 0]),
            token_entropy_nats=float(entropy[unit]) if np.isfinite(entropy[unit]) else None,
            effective_tokens=float(np.exp(entropy[unit])) if np.isfinite(entropy[unit]) else None,
            single_token=single[unit],
            top_tokens=tuple(
                TopToken(token, decode(token), mean, int(vocabulary.occurrences[token]))
                for token, mean in examples.top_tokens(tally.token_sums[:, unit], vocabulary.occurrences, LISTED)
            ),
            examples=tuple(
                example(tally, unit, rank, text, activations[int(tally.start[unit, rank])][:, unit], decode)
                for rank in range(units.n_examples)
                if tally.peak[unit, rank] > 0
            ),
            logit_weights=None if weights is None else ends(weights[unit], vocabulary),
        )
        for unit, number in enumerate(index)
    )
