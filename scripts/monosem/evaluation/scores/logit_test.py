"""The logit test of Bricken et al. 2023 with an explanation that no language model writes.

The explanation of a unit is its ten tokens of largest logit weight. From it one has to tell the tokens at rank 11 to 60
from fifty random ones. Here the judge takes the mean similarity to the ten, by neighbours in text (token_vectors.py).
"""

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.scores.token_vectors import TokenVectors

EXPLAINED = 10
RANKED = 60
"""Last rank that is asked for; as many random tokens as ranks between."""

CONVENTIONS = {
    "logit_test": f"tokens of rank {EXPLAINED + 1} to {RANKED} by logit weight against as many random others; those "
    "more similar on average to the first ten, by neighbours in training text, are taken for the unit's; chance is 0.5"
}


def accuracy(positive: Float[np.ndarray, " k"], negative: Float[np.ndarray, " k"]) -> float:
    """Share of right answers where the more similar half is taken for the unit's; a tie at the border counts half."""
    both = np.concatenate([positive, negative])
    border = np.sort(both)[::-1][len(positive) - 1]
    above, at = (positive > border).sum(), (positive == border).sum()
    places = len(positive) - (both > border).sum()
    hits = above + at * places / max((both == border).sum(), 1)
    # each wrong positive leaves a wrong negative
    return float(hits / len(positive))


def explained_tokens(
    weights: Float[np.ndarray, " vocab"], usual: Bool[np.ndarray, " vocab"], n: int
) -> Integer[np.ndarray, " n"]:  # fmt: skip
    """The n usual tokens of largest logit weight, the largest first."""
    return np.argsort(np.where(usual, -weights, np.inf), kind="stable")[:n]


def score(weights: Float[np.ndarray, " vocab"], vectors: TokenVectors, random: np.random.Generator) -> float | None:
    """Accuracy of the test for a unit's logit weights; None for a vocabulary that is too small."""
    usual = np.flatnonzero(vectors.usual)
    if len(usual) < 2 * RANKED:
        return None
    ranked = explained_tokens(weights, vectors.usual, RANKED)
    others = random.choice(np.setdiff1d(usual, ranked), RANKED - EXPLAINED, replace=False)
    explanation = vectors.unit[ranked[:EXPLAINED]].mean(0)
    return accuracy(vectors.unit[ranked[EXPLAINED:]] @ explanation, vectors.unit[others] @ explanation)
