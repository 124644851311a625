"""Ratios that are None where they are not defined."""

import numpy as np


def ratio(numerator: float | np.number, denominator: float | np.number, rounding: float = 0.0) -> float | None:
    """Numerator over denominator; None, rather than a made-up number, where the denominator is zero.

    Args:
        rounding: by how much the denominator may be off; one that is no larger counts as zero.
    """
    return None if abs(denominator) <= rounding else float(numerator / denominator)
