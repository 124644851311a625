"""Universality: units of one model matched by activation with those of another (Bricken et al. 2023).

The match of a unit is the one of highest Pearson correlation on the validation split; every number is measured on
the test split, so that the best of thousands of chance correlations is no better than any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.evaluation.dictionaries.codes import LEAST_FIRINGS, Side, Tokens, Units
from scripts.monosem.evaluation.dictionaries.document import MatchedCase, Matches
from scripts.monosem.evaluation.dictionaries.estimates import INTERVAL, from_samples, median_over_units, medians
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.latents.document import Example
from scripts.monosem.metrics import coactivation
from scripts.monosem.metrics.correlation import pearson, pearson_dense, pearson_sparse

CONVENTIONS = {
    "match": "for each unit the one of the other side with the highest Pearson correlation of activations, on the "
    f"validation split; both fire on at least {LEAST_FIRINGS} tokens of either split",
    "correlation": "Pearson over the tokens of the test split, zeros included",
    "mutual": "the unit is also the best match of its best match",
    "logit_correlation": "Pearson over the usual tokens of d W_down, gain of the last norm, unembedding",
    "attribution": "activation times the logit weight of the token that follows, token by token",
    "permuted_tokens": "tokens of the other side permuted within each split: what chance gives",
    "permuted_model": "the other side is the dictionary (the neurons) of a model with permuted weights",
    "interval": INTERVAL,
}


@dataclass(frozen=True)
class Pairs:
    """Live units of one side and the best match of each on the other."""

    left: Integer[np.ndarray, " pairs"]
    right: Integer[np.ndarray, " pairs"]
    mutual: Bool[np.ndarray, " pairs"]
    """The left one is the best match of the right one, too."""
    n_candidates: int
    """Live units of the right side."""


def choose(left: Units, right: Units, tokens: Tokens) -> Pairs:
    """Match every live unit of the left side, on the validation split."""
    mine, theirs = (np.flatnonzero(units.live(tokens)) for units in (left, right))
    if not len(mine) or not len(theirs):
        return Pairs(mine[:0], theirs[:0], np.zeros(0, bool), len(theirs))
    chosen = tokens.splits()[0]
    both = (left.activations[chosen][:, mine], right.activations[chosen][:, theirs])
    correlations = pearson_sparse(*both) if sparse.issparse(both[0]) else pearson_dense(*both)
    best, back = correlations.argmax(1), correlations.argmax(0)
    return Pairs(mine, theirs[best], back[best] == np.arange(len(mine)), len(theirs))


def attribution(
    side: Side,
    chosen: Integer[np.ndarray, " pairs"],
    rows: Bool[np.ndarray, " n"],
    following: Integer[np.ndarray, " n"],
) -> coactivation.Columns:
    """f(t) · v[token after t] of the chosen units at the chosen rows."""
    columns, following = side.units.activations[rows][:, chosen], following[rows]
    if not sparse.issparse(columns):
        return columns * side.logit_weights[chosen].T[following]
    row = np.repeat(np.arange(columns.shape[0]), np.diff(columns.indptr))
    weights = side.logit_weights[chosen[columns.indices], following[row]]
    return sparse.csr_matrix((columns.data * weights, columns.indices, columns.indptr), shape=columns.shape)


def row_correlations(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Pearson correlation of row p of x with row p of y; NaN where one is constant."""
    x, y = (a - a.mean(1, keepdims=True, dtype=np.float64) for a in (x, y))
    spread = np.sqrt(np.square(x).sum(1) * np.square(y).sum(1))
    return np.divide((x * y).sum(1), spread, out=np.full(len(x), np.nan), where=spread > 0)


@dataclass(frozen=True)
class Scored:
    """Correlations of matched pairs: on the text itself (first row), then on resampled documents."""

    pairs: Pairs
    activation: Float[np.ndarray, "samples pairs"]
    attribution: Float[np.ndarray, "samples pairs"]
    logit: Float[np.ndarray, " pairs"]


def score(left: Side, right: Side, pairs: Pairs, tokens: Tokens, weights: Float[np.ndarray, "samples documents"],
          usual: Bool[np.ndarray, " vocab"]) -> Scored:  # fmt: skip
    """Correlations of the pairs on the test split."""
    split = tokens.scored
    document = tokens.document[split]
    sides = ((left, pairs.left), (right, pairs.right))
    activation = [side.units.activations[split][:, units] for side, units in sides]
    attributed = [attribution(side, units, split, tokens.following) for side, units in sides]
    return Scored(
        pairs,
        coactivation.paired_correlations(*activation, document, weights),
        coactivation.paired_correlations(*attributed, document, weights),
        row_correlations(*(side.logit_weights[units][:, usual] for side, units in sides)),
    )


def _over_pairs(scored: Scored) -> Float[np.ndarray, " samples"]:
    """Pearson correlation over the pairs of their two correlations, for every sample."""
    a, b = (np.where(np.isfinite(each), each, np.nan) for each in (scored.activation, scored.attribution))
    a, b = (np.where(np.isnan(a + b), np.nan, each) for each in (a, b))
    if a.shape[1] < 3:
        return np.full(len(a), np.nan)
    a, b = (each - np.nanmean(each, axis=1, keepdims=True) for each in (a, b))
    spread = np.sqrt(np.nansum(a * a, axis=1) * np.nansum(b * b, axis=1))
    return np.divide(np.nansum(a * b, axis=1), spread, out=np.full(len(a), np.nan), where=spread > 0)


def summarise(scored: Scored) -> Matches:
    """Medians and shares over the pairs."""
    pairs, n = scored.pairs, len(scored.pairs.left)
    mutual = pairs.mutual
    return Matches(
        n_units=n,
        n_candidates=pairs.n_candidates,
        median_correlation=from_samples(medians(scored.activation), n),
        share_above_half=from_samples((scored.activation > 0.5).mean(1) if n else np.full(2, np.nan), n),
        mutual_share=float(mutual.mean()) if n else None,
        median_correlation_mutual=from_samples(medians(scored.activation[:, mutual]), int(mutual.sum())),
        median_logit_correlation=median_over_units(scored.logit),
        median_attribution_correlation=from_samples(medians(scored.attribution), n),
        attribution_follows_activation=from_samples(_over_pairs(scored), n),
    )


def advantage(latents: Scored, neurons: Scored, kind: str = "activation") -> Estimate:
    """Median correlation of latents less that of neurons, of activations or attributions, on the same documents."""
    n = len(latents.pairs.left) + len(neurons.pairs.left)
    return from_samples(medians(getattr(latents, kind)) - medians(getattr(neurons, kind)), n)


def permuted(units: Units, tokens: Tokens, seed: int) -> Units:
    """The units on other tokens of the same split each."""
    order, rng = np.arange(len(tokens.place)), np.random.default_rng(seed)
    for split in tokens.splits():
        order[split] = rng.permutation(np.flatnonzero(split))
    return Units(units.name, units.activations[order])


def case(
    scored: Scored, left: Units, right: Units, latent: int, label: Bool[np.ndarray, " n"], tokens: Tokens,
    examples: Callable[[Units, int], tuple[Example, ...]],
) -> MatchedCase | None:  # fmt: skip
    """A chosen latent and its match; None for a latent that fires too rarely on this text."""
    place = np.flatnonzero(scored.pairs.left == latent)
    if not len(place):
        return None
    at, match = int(place[0]), int(scored.pairs.right[place[0]])
    split = tokens.scored

    def with_label(units: Units, unit: int) -> float:
        return pearson(units.activations[:, [unit]].toarray()[split, 0], label[split])

    return MatchedCase(
        latent=latent,
        match=match,
        correlation=from_samples(scored.activation[:, at], 1),
        logit_correlation=float(scored.logit[at]) if np.isfinite(scored.logit[at]) else None,
        attribution_correlation=from_samples(scored.attribution[:, at], 1),
        label_correlation=with_label(left, latent),
        match_label_correlation=with_label(right, match),
        examples=examples(left, latent),
        match_examples=examples(right, match),
    )


def arrays(scored: Mapping[str, Scored]) -> dict[str, np.ndarray]:
    """Correlations behind the figures, by subject."""
    return {
        f"{name}.{kind}": values.astype(np.float32)
        for name, each in scored.items()
        for kind, values in (
            ("activation", each.activation[0]), ("attribution", each.attribution[0]), ("logit", each.logit),
        )
    }  # fmt: skip
