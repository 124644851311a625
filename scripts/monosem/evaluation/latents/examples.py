"""Top-activating examples, top tokens and token entropy of units, for latents and neurons alike."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.latents.document import UnitSummary
from scripts.monosem.metrics import information, permutation
from scripts.monosem.metrics.ratio import ratio

TOP_WINDOWS = 20  # examples that must share one token for a single-token unit (Bricken et al. 2023 use 20)
REACH = 8  # tokens shown on either side of the peak
FEWEST_OCCURRENCES = 5  # of a token in the text, to be listed by its mean activation

CONVENTIONS = {
    "sample": "units drawn uniformly among those with activations > 0 on the validation split, read on test",
    "density": "share of tokens with activation > 0",
    "token_entropy_nats": "entropy of the activation summed per token, positive part (Heap et al. 2025)",
    "single_token": f"the peaks of the {TOP_WINDOWS} windows with the largest activation hold one and the same token; "
    f"null for a unit that is > 0 in fewer windows",
    "top_tokens": f"by mean activation over all occurrences of a token with at least {FEWEST_OCCURRENCES} of them",
    "examples": f"windows with the largest activation, one peak each, {REACH} tokens either side within the document",
    "logit_weights": "d_i W_down, mean removed, gain of the last LayerNorm, unembedding; median over tokens 0; "
    "tokens seen fewer than 10 times in training text excluded",
}


@dataclass
class UnitTally:
    """Running statistics of some units over text, in the positive part of their activation."""

    index: Integer[np.ndarray, " units"]
    """Numbers of the units."""
    token_sums: Float[np.ndarray, "vocab units"]
    """Σ activation by token, float64."""
    fired: Integer[np.ndarray, " units"]
    """Tokens with activation > 0."""
    peak: Float[np.ndarray, "units windows"]
    """Largest activation within each of the best windows, descending."""
    place: Integer[np.ndarray, "units windows"]
    """Offset of that peak in the stream."""
    start: Integer[np.ndarray, "units windows"]
    """Offset of its window."""
    n_tokens: int = 0
    """Kept positions seen."""

    @classmethod
    def empty(cls, index: Integer[np.ndarray, " units"], vocab: int, top: int = TOP_WINDOWS) -> "UnitTally":
        """Nothing read yet."""
        units = len(index)
        best = [np.zeros((units, top), dtype) for dtype in (np.float32, np.int64, np.int64)]
        return cls(index, np.zeros((vocab, units)), np.zeros(units, np.int64), *best)

    def add(
        self,
        values: Float[np.ndarray, "n units"],
        kept: Bool[np.ndarray, "windows context"],
        tokens: Integer[np.ndarray, "windows context"],
        starts: Integer[np.ndarray, " windows"],
    ) -> None:
        """Add the activations at the kept positions of some windows."""
        positive = np.maximum(values, 0)
        self.fired += (positive > 0).sum(0)
        self.n_tokens += len(values)
        present, group = np.unique(tokens[kept], return_inverse=True)
        order = np.argsort(group, kind="stable")
        first = np.searchsorted(group[order], np.arange(len(present)))
        self.token_sums[present] += np.add.reduceat(positive[order].astype(np.float64), first, axis=0)

        grid = np.zeros((*kept.shape, len(self.index)), np.float32)
        grid[kept] = positive
        at = grid.argmax(1)  # windows, units
        peak = np.take_along_axis(grid, at[:, None], 1)[:, 0]
        candidates = (
            np.concatenate([self.peak, peak.T], 1),
            np.concatenate([self.place, (starts[:, None] + at).T], 1),
            np.concatenate([self.start, np.broadcast_to(starts, peak.T.shape)], 1),
        )
        best = np.argsort(-candidates[0], axis=1, kind="stable")[:, : self.peak.shape[1]]
        self.peak, self.place, self.start = (np.take_along_axis(array, best, 1) for array in candidates)


def single_token(tally: UnitTally, stream_tokens: Integer[np.ndarray, " n"]) -> list[bool | None]:
    """Per unit: whether all its best windows peak on one token; None where it fires in too few windows to say."""
    tokens = stream_tokens[tally.place]
    full = tally.peak[:, -1] > 0
    same = (tokens == tokens[:, :1]).all(1)
    return [bool(is_same) if is_full else None for is_same, is_full in zip(same, full, strict=True)]


def summary(tally: UnitTally, stream_tokens: Integer[np.ndarray, " n"], n_live: int) -> UnitSummary:
    """Numbers over all sampled units; entropy and the single-token share over those that can be judged."""
    judged = [flag for flag in single_token(tally, stream_tokens) if flag is not None]
    scored = tally.peak[:, -1] > 0
    entropy = information.distribution_entropy(tally.token_sums.T)[scored]
    return UnitSummary(
        n_live=n_live,
        n_units=len(tally.index),
        n_scored=len(judged),
        single_token_share=ratio(sum(judged), len(judged)),
        mean_token_entropy_nats=float(entropy.mean()) if len(entropy) else None,
        median_token_entropy_nats=float(np.median(entropy)) if len(entropy) else None,
        chance_entropy_difference_nats=permutation.chance_difference(entropy),
        token_entropies_nats=tuple(entropy.tolist()),
        median_density=float(np.median(tally.fired / tally.n_tokens)) if len(tally.fired) else None,
    )


def excerpt(tokens: Integer[np.ndarray, " context"], peak: int, eos_token_id: int, reach: int = REACH) -> slice:
    """The part of a window around its peak that lies in the peak's document."""
    ends = np.flatnonzero(tokens == eos_token_id)
    before, after = ends[ends < peak], ends[ends > peak]
    start = max(peak - reach, before[-1] + 1 if len(before) else 0)
    return slice(int(start), int(min(peak + reach + 1, after[0] if len(after) else len(tokens))))


def top_tokens(
    sums: Float[np.ndarray, " vocab"], occurrences: Integer[np.ndarray, " vocab"], n: int
) -> list[tuple[int, float]]:
    """Tokens with the largest mean activation: (token, mean), descending, positive means only."""
    means = np.where(occurrences >= FEWEST_OCCURRENCES, sums / np.maximum(occurrences, 1), 0.0)
    return [(int(token), float(means[token])) for token in np.argsort(-means, kind="stable")[:n] if means[token] > 0]
