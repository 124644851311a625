"""Ratios that are None where they are not defined."""

import numpy as np


def ratio(numerator: float | np.number, denominator: float | np.number) -> float | None:
    """Numerator over denominator, None where the denominator is zero: not defined, rather than a made-up number."""
    return None if denominator == 0 else float(numerator / denominator)
