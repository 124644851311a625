"""Variants of a recipe against the published one, paired by seed: means, and intervals of the differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scripts.monosem.evaluation.fidelity.document import Difference, OverSeeds, Variant
from scripts.monosem.metrics.bootstrap import mean_interval

MEASURES = ("explained_variance", "ce_increase_nats", "l0", "frac_alive")


def over_seeds(values: Sequence[float], reference: Sequence[float] | None) -> OverSeeds:
    """One measure of a variant over its seeds; `reference` is that of the first variant, None for itself."""
    column = np.array(values, dtype=np.float64)
    difference, spread = None, None
    if reference is None:
        spread = float(column.max() - column.min())
    else:
        paired = column - reference
        bounds = mean_interval(paired)
        difference = Difference(float(paired.mean()), *bounds, float(paired.min()), float(paired.max()))
    return OverSeeds(
        tuple(column.tolist()), float(column.mean()), float(column.min()), float(column.max()), difference, spread
    )


def compare(runs: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Sequence[str]]) -> dict[str, Variant]:
    """Every variant's measures over its seeds, and its difference to the first variant, seed by seed.

    Args:
        runs: rows of a fidelity.json by run, as read from JSON.
        variants: variant -> runs in the order of the seeds.
    """
    first = next(iter(variants))
    columns = {
        variant: {measure: [runs[name][measure] for name in names] for measure in MEASURES}
        for variant, names in variants.items()
    }
    return {
        variant: Variant(
            tuple(names),
            **{
                measure: over_seeds(columns[variant][measure], None if variant == first else columns[first][measure])
                for measure in MEASURES
            },
        )
        for variant, names in variants.items()
    }
