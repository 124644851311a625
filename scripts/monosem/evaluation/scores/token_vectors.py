"""Vectors of tokens from their neighbours in the training text: a judge of similarity that knows no model.

A unit's top tokens are near each other in the model's own unembedding for any direction whatever, so that similarity
there would reward every unit; neighbours in text know nothing of the model's weights.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.sparse.linalg import svds

from scripts.monosem.metrics import cooccurrence
from scripts.monosem.metrics.matching import unit_rows

DIMENSIONS = 64
REACH = 2
"""Neighbours on either side."""
RAREST = 10
"""Occurrences in the training text below which a token is left out, as of logit weights."""
COUNTED = 3_000_000
"""Tokens of the training text that are counted at most."""


@dataclass(frozen=True)
class TokenVectors:
    """A vector per token of the vocabulary."""

    unit: Float[np.ndarray, "vocab d"]
    """Of length 1; zero for unusual tokens."""
    usual: Bool[np.ndarray, " vocab"]
    """Tokens frequent enough to have one."""

    def nearest(self, token: int, n: int) -> Integer[np.ndarray, " n"]:
        """The n tokens most similar to a token, itself left out."""
        similarity = np.where(self.usual, self.unit @ self.unit[token], -np.inf)
        similarity[token] = -np.inf
        return np.argpartition(-similarity, n)[:n]


def token_vectors(train: Integer[np.ndarray, " n"], vocab: int, eos_token_id: int, seed: int) -> TokenVectors:
    """Singular vectors of the positive mutual information of neighbours, scaled by the root of their singular value."""
    counted = np.asarray(train[:COUNTED])
    usual = np.bincount(counted, minlength=vocab) >= RAREST
    usual[eos_token_id] = False
    information = cooccurrence.ppmi(cooccurrence.neighbour_counts(counted, vocab, REACH))
    information = information.multiply(usual[:, None]).tocsr()
    start = np.random.default_rng(seed).standard_normal(vocab)
    left, values, _ = svds(information, k=min(DIMENSIONS, vocab - 2), v0=start)
    return TokenVectors(unit_rows(np.where(usual[:, None], left * np.sqrt(values), 0.0)), usual)
