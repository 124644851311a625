"""Example embedding: activating text distinguished from other text by similarity, without an explanation in words.

After Paulo and Belrose 2025: a unit is easy to understand if its activating examples are near each other in the hidden
states of a language model. The judge here is a model that is none of those whose units are scored.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from scripts.monosem.metrics.matching import unit_rows

REFERENCES = 10
"""Activating tokens of the validation split that stand for the unit."""
QUERIES = 50
"""Activating tokens of the test split, and as many others, that are to be distinguished."""
FEWEST = 5
"""Activating tokens below which a unit has no score."""


def similarity(
    references: Float[np.ndarray, "n d"], queries: Float[np.ndarray, "m d"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " m"]:
    """Mean cosine of each query with the references, about the mean hidden state of the text."""
    return unit_rows(queries - mean) @ unit_rows(references - mean).mean(0)


def score(similarities: Float[np.ndarray, " m"], sizes: Sequence[int]) -> list[float | None]:
    """Area under the ROC curve of each group of activating tokens, against the others; None for an empty group.

    Args:
        similarities: those of the groups, one after another, then those of tokens on which the unit does not fire.
        sizes: of the groups.
    """
    *groups, others = np.split(similarities, np.cumsum(sizes))
    above = [(group[:, None] > others).sum() + 0.5 * (group[:, None] == others).sum() for group in groups]
    return [float(won / (len(g) * len(others))) if len(g) else None for won, g in zip(above, groups, strict=True)]
