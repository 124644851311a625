"""Estimates of one unit against one context, from sums by document and resampled documents."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.cases.document import CaseUnit
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.latents.contexts import predicted_at
from scripts.monosem.metrics import bootstrap
from scripts.monosem.metrics.correlation import pearson_from_sums


@dataclass(frozen=True)
class Truth:
    """Label, lookup and proxy of the tokens of the test split, which a unit is compared with."""

    label: Bool[np.ndarray, " n"]
    """True in context."""
    lookup: Float[np.ndarray, " n"]
    """P(context | token)."""
    proxy: Float[np.ndarray, " n"] | None
    """The paper's, where it has one."""
    document: Integer[np.ndarray, " n"]
    """Document of each token."""
    weights: Float[np.ndarray, "samples documents"]
    """Ones, then resamplings of the documents."""

    @property
    def n_documents(self) -> int:
        """Documents that hold the context."""
        return len(np.unique(self.document[self.label]))

    def totals(self, *columns: np.ndarray) -> list[Float[np.ndarray, " samples"]]:
        """Sums of columns over all tokens, by sample."""
        n = self.weights.shape[1]
        sums = np.stack([np.bincount(self.document, column, n) for column in columns], axis=1)
        return list((self.weights @ sums).T)

    def correlation(self, x: np.ndarray, y: np.ndarray) -> Float[np.ndarray, " samples"]:
        """Pearson correlation by sample."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        return pearson_from_sums(*self.totals(np.ones(len(x)), x, y, x * x, y * y, x * y))

    def estimate(self, samples: Float[np.ndarray, " samples"]) -> Estimate:
        """The value of the text itself, with the percentile interval of the resampled ones; undefined ones are left."""
        resampled = samples[1:][np.isfinite(samples[1:])]
        if not np.isfinite(samples[0]) or not len(resampled):
            return Estimate(None, None, None, self.n_documents)
        return Estimate(float(samples[0]), *bootstrap.interval(resampled), self.n_documents)

    def share(self, part: Bool[np.ndarray, " n"], whole: Bool[np.ndarray, " n"]) -> Estimate:
        """Share of the tokens of `whole` that are in `part`, too."""
        above, below = self.totals(part & whole, whole)
        return self.estimate(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0))


def explained_together(r_f: np.ndarray, r_p: np.ndarray, r_fp: np.ndarray) -> np.ndarray:
    """R² of the regression on two variables that correlate r_f and r_p with the target and r_fp with each other."""
    free = 1 - r_fp**2
    both = (r_f**2 + r_p**2 - 2 * r_f * r_p * r_fp) / np.where(free > 1e-9, free, 1.0)
    return np.where(free > 1e-9, both, np.maximum(r_f**2, r_p**2))


def score(truth: Truth, index: int | None, values: Float[np.ndarray, " n"], threshold: float | None) -> CaseUnit:
    """All estimates of one unit."""
    r, of_lookup = truth.correlation(values, truth.label), truth.correlation(truth.lookup, truth.label)
    both = explained_together(r, of_lookup, truth.correlation(values, truth.lookup))
    fires = predicted_at(threshold, values)
    return CaseUnit(
        index=index,
        threshold=threshold,
        pearson=truth.estimate(r),
        gain=truth.estimate(r - of_lookup),
        added_variance=truth.estimate(both - of_lookup**2),
        precision=truth.share(truth.label, fires),
        recall=truth.share(fires, truth.label),
        proxy_pearson=None if truth.proxy is None else truth.estimate(truth.correlation(values, truth.proxy)),
    )
