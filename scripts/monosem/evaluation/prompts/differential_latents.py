"""Which latents tell one set of prompts from another: filter, ranking, test, confirmation, and shuffled labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import false_discovery_control, norm, rankdata

from scripts.monosem.metrics import classification
from scripts.monosem.metrics.correlation import pearson_columns

LEAST_ACTIVE = 4  # prompts of the first half that a tested latent fires on
LISTED = 10  # latents of each ranking

CONVENTIONS = {
    "pooling": "a latent's mean, and its maximum, over the tokens of a prompt; <|endoftext|> before it is left out",
    "halves": "prompts are split by line, so that prompts of one build fall into one half in every set: the first half "
    "filters, ranks and tests, the second confirms",
    "always_on": "fires on at least the given share of the first half's prompts, set and baseline together; removed",
    "tested": f"of the rest, latents that fire on at least {LEAST_ACTIVE} prompts of the first half",
    "mean_correlation": "Pearson correlation of pooled activation and membership in the set (1 or 0), averaged over "
    "mean and max pooling; first half",
    "discovered": "two-sided Mann-Whitney test (normal approximation, ties corrected) with Benjamini-Hochberg over all "
    "tested latents",
    "confirmed": "of these, one-sided in the direction found on the second half, Benjamini-Hochberg over those found",
    "auc": "probability that a prompt of the set has the larger pooled activation; second half",
    "shuffled": "the same with the labels of set and baseline permuted within each half",
}


@dataclass(frozen=True)
class Half:
    """Prompts of the set and of the baseline on one side of the split."""

    mean: Float[np.ndarray, "prompts latents"]  # mean-pooled activations
    max: Float[np.ndarray, "prompts latents"]  # max-pooled activations
    label: Bool[np.ndarray, " prompts"]  # True: of the set

    def pooled(self, pooling: str) -> Float[np.ndarray, "prompts latents"]:
        """Activations by the name of the pooling."""
        return getattr(self, pooling)


POOLINGS = ("mean", "max")


@dataclass(frozen=True)
class Ranks:
    """Ranks of every column, from which the Mann-Whitney statistic of any labelling follows by one product."""

    ranks: Float[np.ndarray, "prompts latents"]
    ties: Float[np.ndarray, " latents"]  # Σ (t³ − t) over groups of ties

    @classmethod
    def of(cls, values: Float[np.ndarray, "prompts latents"]) -> "Ranks":
        """Average ranks per column."""
        ranks = rankdata(values, axis=0)
        ties = np.array([sum(t**3 - t for t in np.unique(column, return_counts=True)[1]) for column in ranks.T], float)
        return cls(ranks, ties)

    def z(self, label: Bool[np.ndarray, "... prompts"]) -> Float[np.ndarray, "... latents"]:
        """Standardised U with continuity correction; 0 for constant columns. Above 0: larger in the set."""
        n, inside = len(self.ranks), label.sum(-1, keepdims=True).astype(float)
        outside = n - inside
        u = label.astype(float) @ self.ranks - inside * (inside + 1) / 2
        variance = inside * outside / 12 * ((n + 1) - self.ties / (n * (n - 1)))
        away = u - inside * outside / 2
        away = np.sign(away) * np.maximum(np.abs(away) - 0.5, 0)
        return np.divide(away, np.sqrt(np.maximum(variance, 0)), out=np.zeros_like(away), where=variance > 1e-9)


def mean_correlation(half: Half) -> Float[np.ndarray, " latents"]:
    """Correlation with membership, averaged over both poolings; 0 for constant columns."""
    return np.mean([pearson_columns(half.pooled(pooling), half.label) for pooling in POOLINGS], axis=0)


def filter_latents(half: Half, always_on: float) -> tuple[Bool[np.ndarray, " latents"], Bool[np.ndarray, " latents"]]:
    """(always on, tested), from the first half alone; labels play no part."""
    fires = (half.max > 0).sum(0)
    constant = fires >= always_on * len(half.label)
    return constant, ~constant & (fires >= LEAST_ACTIVE)


def discover(
    first: Ranks, second: Ranks, labels: tuple[np.ndarray, np.ndarray], rate: float
) -> tuple[Int[np.ndarray, " found"], Int[np.ndarray, " confirmed"]]:
    """Columns that are found on the first half, and those of them that are confirmed on the second.

    Args:
        rate: false discovery rate of either step.
    """
    z = first.z(labels[0])
    found = np.flatnonzero(false_discovery_control(2 * norm.sf(np.abs(z))) <= rate) if len(z) else np.empty(0, int)
    if len(found) == 0:
        return found, found
    again = second.z(labels[1])[found] * np.sign(z[found])
    return found, found[false_discovery_control(norm.sf(again)) <= rate]


def shuffled(
    first: Ranks, second: Ranks, labels: tuple[np.ndarray, np.ndarray], rate: float, n: int, rng: np.random.Generator
) -> dict[str, float]:
    """What `discover` finds when labels say nothing."""
    counts = []
    for _ in range(n):
        found, confirmed = discover(first, second, tuple(rng.permutation(label) for label in labels), rate)
        counts.append((len(found), len(confirmed)))
    found, confirmed = np.array(counts).T
    return {
        "shuffles": n,
        "median_discovered": float(np.median(found)),
        "median_confirmed": float(np.median(confirmed)),
        "mean_confirmed": float(confirmed.mean()),
        "share_with_discovery": float((found > 0).mean()),
        "share_with_confirmation": float((confirmed > 0).mean()),
    }


def compare_with_baseline(
    first: Half, second: Half, always_on: float, rate: float, n_shuffles: int, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything about one set against the baseline: numbers, and masks over latents for figures."""
    rng = np.random.default_rng(seed)
    constant, tested = filter_latents(first, always_on)
    columns = np.flatnonzero(tested)
    labels = (first.label, second.label)
    correlation = mean_correlation(first)
    order = columns[np.argsort(-correlation[columns], kind="stable")]
    result: dict[str, Any] = {
        "n_prompts": [int(half.label.sum()) for half in (first, second)],
        "n_baseline": [int((~half.label).sum()) for half in (first, second)],
        "n_latents": len(tested),
        "n_always_on": int(constant.sum()),
        "n_tested": len(columns),
        "poolings": {},
    }
    masks = {"always_on": constant, "tested": tested}
    confirmed_by: dict[str, set[int]] = {}
    for pooling in POOLINGS:
        ranks = tuple(Ranks.of(half.pooled(pooling)[:, columns]) for half in (first, second))
        found, confirmed = discover(*ranks, labels, rate)
        confirmed_by[pooling] = set(columns[confirmed].tolist())
        masks[f"discovered.{pooling}"] = np.isin(np.arange(len(tested)), columns[found])
        masks[f"confirmed.{pooling}"] = np.isin(np.arange(len(tested)), columns[confirmed])
        auc = classification.auc(second.pooled(pooling)[:, order[:LISTED]], second.label)
        result["poolings"][pooling] = {
            "n_discovered": len(found),
            "n_confirmed": len(confirmed),
            "top_auc": float(auc.mean()) if len(auc) else None,
            "shuffled": shuffled(*ranks, labels, rate, n_shuffles, rng),
        }
    chance = []
    for _ in range(n_shuffles):
        permuted = mean_correlation(Half(first.mean, first.max, rng.permutation(first.label)))[columns]
        chance.append(np.sort(permuted)[-LISTED:].mean())
    if len(columns):
        result["top_mean_correlation"] = float(correlation[order[:LISTED]].mean())
        result["top_mean_correlation_shuffled"] = float(np.mean(chance))
    result["ranking"] = [
        {
            "latent": int(latent),
            "mean_correlation": float(correlation[latent]),
            "fires_on_set": float((second.max[second.label, latent] > 0).mean()),
            "fires_on_baseline": float((second.max[~second.label, latent] > 0).mean()),
        }
        | {f"auc_{p}": float(classification.auc(second.pooled(p)[:, [latent]], second.label)[0]) for p in POOLINGS}
        | {f"confirmed_{p}": int(latent) in confirmed_by[p] for p in POOLINGS}
        for latent in order[:LISTED]
    ]
    return result, masks
