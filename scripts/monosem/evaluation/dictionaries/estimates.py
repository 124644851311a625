"""Numbers with their intervals: over resampled documents, or over units."""

import numpy as np
from jaxtyping import Float

from scripts.monosem.evaluation.dictionaries.document import Estimate
from scripts.monosem.metrics.bootstrap import interval, median_interval


def from_samples(samples: Float[np.ndarray, " samples"], n: int) -> Estimate:
    """The estimate whose value comes first, before those of resampled documents."""
    samples = np.asarray(samples, np.float64)
    resampled = samples[1:][np.isfinite(samples[1:])]
    if not n or not np.isfinite(samples[0]) or not len(resampled):
        return Estimate(None, None, None, n)
    return Estimate(float(samples[0]), *interval(resampled), n)


def median_over_units(values: Float[np.ndarray, " units"]) -> Estimate:
    """Median of the values that are defined, with an interval over these."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return Estimate(None, None, None, 0)
    return Estimate(float(np.median(values)), *median_interval(values), len(values))
