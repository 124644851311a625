"""Scores of units -> means with intervals over units, and differences between populations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from scipy import stats

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.scores.document import SampleScores, UnitDifference, UnitEstimate
from scripts.monosem.evaluation.scores.scoring import BY_INTERVAL, INTERVALS, SCORES
from scripts.monosem.metrics.bootstrap import interval, mean_of_units


@dataclass(frozen=True)
class Scored:
    """Scores of the units of one sample, NaN where a unit has none."""

    index: Integer[np.ndarray, " units"]
    """Numbers of the units."""
    scores: dict[str, Float[np.ndarray, " units"]]
    by_interval: dict[str, Float[np.ndarray, "units intervals"]]

    @classmethod
    def of(
        cls, index: Integer[np.ndarray, " units"],
        units: Sequence[tuple[Mapping[str, float | None], Mapping[str, Sequence[float | None]]]],
    ) -> "Scored":  # fmt: skip
        """From the scores of single units."""
        scores = {name: np.array([unit.get(name) for unit, _ in units], np.float64) for name in SCORES}
        parts = {
            name: np.array([unit[name] for _, unit in units], np.float64).reshape(len(units), INTERVALS)
            for name in BY_INTERVAL
        }
        return cls(index, scores, parts)


def estimate(values: Float[np.ndarray, " units"], resamplings: int, seed: int) -> UnitEstimate:
    """Mean over the units that have the score."""
    defined = values[np.isfinite(values)]
    median = float(np.median(defined)) if len(defined) else None
    return UnitEstimate(*mean_of_units(defined, resamplings, seed), n=len(defined), median=median)


def difference(
    ours: Float[np.ndarray, " units"], other: Float[np.ndarray, " others"], paired: bool, resamplings: int, seed: int
) -> UnitDifference:
    """Mean of ours minus that of the other, with a test; pairs in which either has no score are left out."""
    if paired:
        pairs = (ours - other)[np.isfinite(ours) & np.isfinite(other)]
        p = float(stats.wilcoxon(pairs).pvalue) if pairs.any() else None
        return UnitDifference(*mean_of_units(pairs, resamplings, seed), n=len(pairs), p_value=p)
    ours, other = ours[np.isfinite(ours)], other[np.isfinite(other)]
    n = min(len(ours), len(other))
    if n == 0:
        return UnitDifference(None, None, None, 0, None)
    random = np.random.default_rng(seed)
    means = [each[random.integers(len(each), size=(resamplings, len(each)))].mean(1) for each in (ours, other)]
    p = float(stats.mannwhitneyu(ours, other).pvalue)
    return UnitDifference(float(ours.mean() - other.mean()), *interval(means[0] - means[1]), n=n, p_value=p)


def summarise(
    sample: Scored, others: Mapping[str, Scored], paired: bool, resamplings: int, seed: int
) -> SampleScores:  # fmt: skip
    """Means of every score, and their differences to those of other samples."""

    def seeded(*names: str) -> int:
        return derive_seed(seed, "bootstrap of units", *names)

    return SampleScores(
        n_units=len(sample.index),
        scores={name: estimate(values, resamplings, seeded(name)) for name, values in sample.scores.items()},
        by_interval={
            name: tuple(estimate(column, resamplings, seeded(name, str(i))) for i, column in enumerate(values.T))
            for name, values in sample.by_interval.items()
        },
        above={
            other: {
                name: difference(values, scored.scores[name], paired, resamplings, seeded("above", other, name))
                for name, values in sample.scores.items()
            }
            for other, scored in others.items()
        },
    )
