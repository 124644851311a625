"""Levels that chance reaches, by permutation."""

import numpy as np
from jaxtyping import Float

PERMUTATIONS = 2000
"""Random permutations behind a chance level or a p-value."""


def chance_difference(values: Float[np.ndarray, " n"]) -> float | None:
    """|difference of medians| of two random halves of the values that one permutation in twenty exceeds.

    Halves are smaller than two whole samples, so this errs on the side of chance. None for fewer than two values.
    """
    half = len(values) // 2
    if half == 0:
        return None
    permuted = np.random.default_rng(0).permuted(np.tile(values, (PERMUTATIONS, 1)), axis=1)
    differences = np.abs(np.median(permuted[:, :half], axis=1) - np.median(permuted[:, half:], axis=1))
    return float(np.quantile(differences, 0.95))
