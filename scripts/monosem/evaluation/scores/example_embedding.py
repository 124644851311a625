"""Example embedding: activating text told from other text by similarity, without an explanation in words.

After Paulo and Belrose 2025: a unit is easy to understand if its activating examples are near each other in the hidden
states of a language model. The judge here is a model that is none of those whose units are scored.
"""

import numpy as np
from jaxtyping import Float, Integer

from scripts.monosem.metrics.classification import auc
from scripts.monosem.metrics.matching import unit_rows

REFERENCES = 10
"""Activating tokens of the validation split that stand for the unit."""
QUERIES = 50
"""Activating tokens of the test split, and as many others, that are told apart."""
FEWEST = 5
"""Activating tokens below which a unit has no score."""


def similarity(
    references: Float[np.ndarray, "n d"], queries: Float[np.ndarray, "m d"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " m"]:
    """Mean cosine of each query with the references, about the mean hidden state of the text."""
    return unit_rows(queries - mean) @ unit_rows(references - mean).mean(0)


def score(similarities: Float[np.ndarray, " m"], n_activating: int) -> float:
    """AUC of the similarities, of which the first are those of activating tokens."""
    return float(auc(similarities[:, None], np.arange(len(similarities)) < n_activating)[0])


def some(rows: Integer[np.ndarray, " k"], n: int, random: np.random.Generator) -> Integer[np.ndarray, " at_most_n"]:
    """At most n of the rows, at random."""
    return random.permutation(rows)[:n]
