"""Numbers with their intervals: over resampled documents, or over units."""

import numpy as np
from jaxtyping import Float

from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.metrics.bootstrap import median_interval

NORMAL = 1.96
"""Standard errors on either side of a 95 % interval."""

INTERVAL = (
    "95 %: value ± 1.96 standard errors over resampled documents, choices as made; of ratios on a logarithmic scale. "
    "Percentiles would not be centred: noise of single units biases a median over them. Medians over units: by order "
    "statistics"
)


def from_samples(samples: Float[np.ndarray, " samples"], n: int, ratio: bool = False) -> Estimate:
    """The estimate whose value comes first, before those of resampled documents.

    Args: ratio: errors are taken on a logarithmic scale.
    """
    value, resampled = float(samples[0]), np.asarray(samples[1:], np.float64)
    if ratio:
        resampled = resampled[resampled > 0]
    resampled = resampled[np.isfinite(resampled)]
    if not n or not np.isfinite(value) or len(resampled) < 2 or (ratio and value <= 0):
        return Estimate(value if n and np.isfinite(value) else None, None, None, n)
    if ratio:
        factor = float(np.exp(NORMAL * np.log(resampled).std(ddof=1)))
        return Estimate(value, value / factor, value * factor, n)
    half = float(NORMAL * resampled.std(ddof=1))
    return Estimate(value, value - half, value + half, n)


def medians(samples: Float[np.ndarray, "samples units"]) -> Float[np.ndarray, " samples"]:
    """Median over the units that are defined, of every sample; NaN where none is."""
    return np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in samples])


def median_over_units(values: Float[np.ndarray, " units"]) -> Estimate:
    """Median of the values that are defined, with an interval over these."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return Estimate(None, None, None, 0)
    return Estimate(float(np.median(values)), *median_interval(values), len(values))
