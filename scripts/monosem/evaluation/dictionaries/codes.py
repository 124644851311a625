"""Units of several models and dictionaries on the same tokens of held-out text. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.metrics.coactivation import Columns
from scripts.monosem.text.tokens import PARTS, TokenStream

LEAST_FIRINGS = 5
"""On each of both splits, of a unit that takes part."""


@dataclass(frozen=True)
class Tokens:
    """The tokens that all models read, in the order of the text."""

    place: Integer[np.ndarray, " n"]
    """Offset in the stream of both splits."""
    token: Integer[np.ndarray, " n"]
    following: Integer[np.ndarray, " n"]
    """The token that follows each."""
    label: Integer[np.ndarray, " n"]
    """Index into corpus.LABELS."""
    document: Integer[np.ndarray, " n"]
    """Number of its document among those that are read."""
    source_document: Integer[np.ndarray, " n"]
    """Number of its document in the split."""
    scored: Bool[np.ndarray, " n"]
    """True on the test split, where results are measured; the validation split makes every choice."""

    @property
    def n_documents(self) -> int:
        """Documents that are read, in part or whole."""
        return int(self.document.max()) + 1

    def splits(self) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """Masks of the validation split, which chooses, and of the test split."""
        return ~self.scored, self.scored


def join(streams: Sequence[TokenStream]) -> TokenStream:
    """Several splits, one after another."""
    parts = {name: [getattr(stream, name) for stream in streams] for name in PARTS}
    ends = np.cumsum([0, *(len(stream.tokens) for stream in streams)])
    bounds = [stream.documents[:-1] + end for stream, end in zip(streams, ends, strict=False)]
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    joined["documents"] = np.concatenate([*bounds, ends[-1:]])
    return TokenStream(**joined, eos_token_id=streams[0].eos_token_id, vocab_size=streams[0].vocab_size)


def tokens_at(stream: TokenStream, place: Integer[np.ndarray, " n"], scored: Bool[np.ndarray, " n"]) -> Tokens:
    """The tokens at some places."""
    source = np.searchsorted(stream.documents, place, side="right") - 1
    return Tokens(
        place=place,
        token=stream.tokens[place].astype(np.int64),
        following=stream.tokens[np.minimum(place + 1, len(stream.tokens) - 1)].astype(np.int64),
        label=stream.labels[place].astype(np.int64),
        document=np.unique(source, return_inverse=True)[1],
        source_document=source,
        scored=scored,
    )


@dataclass(frozen=True)
class Units:
    """Latents of a dictionary, or neurons of a site, on the tokens."""

    name: str
    """Run of the dictionary, or "neurons"."""
    activations: Columns
    """[n, units]; no explicit zeros."""

    def live(self, tokens: Tokens) -> Bool[np.ndarray, " units"]:
        """Units that fire often enough on both splits."""
        counts = [np.asarray((self.activations[split] > 0).sum(0)).ravel() for split in tokens.splits()]
        return np.minimum(*counts) >= LEAST_FIRINGS


@dataclass(frozen=True)
class Side:
    """Units on one side of a comparison."""

    units: Units
    logit_weights: Float[np.ndarray, "units vocab"]
    """Logit weights, the usual tokens alone counting."""
