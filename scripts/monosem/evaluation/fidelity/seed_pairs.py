"""Variants of a recipe against the published one, paired by seed: means, and intervals of the differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scripts.monosem.metrics.bootstrap import mean_interval

MEASURES = ("explained_variance", "ce_increase_nats", "l0", "frac_alive")


def compare(runs: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Every variant's measures over its seeds, and its difference to the first variant, seed by seed.

    Args:
        runs: rows of a fidelity.json by run.
        variants: variant -> runs in the order of the seeds.
    Returns: per variant `runs` and per measure {values, mean, lowest, highest, difference, difference_low,
        difference_high, smallest_difference, largest_difference}; the last five not for the first variant.
    """
    reference = next(iter(variants.values()))
    compared = {}
    for number, (variant, names) in enumerate(variants.items()):
        compared[variant] = {"runs": list(names)}
        for measure in MEASURES:
            values = np.array([runs[name][measure] for name in names], dtype=np.float64)
            row = {
                "values": values.tolist(),
                "mean": values.mean(),
                "lowest": values.min(),
                "highest": values.max(),
            }
            if number > 0:
                differences = values - [runs[name][measure] for name in reference]
                low, high = mean_interval(differences)
                row |= {"difference": differences.mean(), "difference_low": low, "difference_high": high}
                row |= {"smallest_difference": differences.min(), "largest_difference": differences.max()}
            else:
                row["spread"] = values.max() - values.min()
            compared[variant][measure] = row
    return compared
