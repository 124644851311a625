"""Variants of a recipe against the published one, paired by seed: means, and intervals of the differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

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
        difference = difference_of(column - reference)
    return OverSeeds(
        tuple(column.tolist()), float(column.mean()), float(column.min()), float(column.max()), difference, spread,
        *mean_interval(column),
    )  # fmt: skip


def difference_of(paired: Float[np.ndarray, " seed"]) -> Difference:
    """Mean of paired differences, with Student's interval."""
    return Difference(float(paired.mean()), *mean_interval(paired), float(paired.min()), float(paired.max()))


def at_equal_l0(
    runs: Mapping[str, Mapping[str, Any]], names: Sequence[str], curves: Sequence[Sequence[str]]
) -> Difference | None:
    """Loss added by runs less that of a recipe at their L0, seed by seed; None where an L0 is outside of the recipe's.

    Args:
        names: runs of one variant in the order of the seeds.
        curves: per seed, runs of the recipe at several sparsities; between them the loss is linear in log L0.
    """
    paired = []
    for name, curve in zip(names, curves, strict=True):
        l0, loss = np.array(sorted((runs[each]["l0"], runs[each]["ce_increase_nats"]) for each in curve)).T
        if len(curve) < 2 or not l0[0] <= runs[name]["l0"] <= l0[-1]:
            return None
        expected = np.interp(np.log(runs[name]["l0"]), np.log(l0), loss)
        paired.append(runs[name]["ce_increase_nats"] - expected)
    return difference_of(np.array(paired))


def compare(
    runs: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Sequence[str]], sparsities: Sequence[str] = ()
) -> dict[str, Variant]:
    """Every variant's measures over its seeds, and its difference to the first variant, seed by seed.

    Args:
        runs: rows of a fidelity.json by run, as read from JSON.
        variants: variant -> runs in the order of the seeds.
        sparsities: variants that differ from the first in their sparsity alone, with it.
    """
    first = next(iter(variants))
    columns = {
        variant: {measure: [runs[name][measure] for name in names] for measure in MEASURES}
        for variant, names in variants.items()
    }
    curves = list(zip(*(variants[name] for name in sparsities), strict=True))
    return {
        variant: Variant(
            tuple(names),
            ce_increase_at_equal_l0=at_equal_l0(runs, names, curves) if curves and variant not in sparsities else None,
            **{
                measure: over_seeds(columns[variant][measure], None if variant == first else columns[first][measure])
                for measure in MEASURES
            },
        )
        for variant, names in variants.items()
    }
