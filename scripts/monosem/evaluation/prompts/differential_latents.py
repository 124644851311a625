"""Latents that tell one set of prompts from another: filter, ranking, test, confirmation, and shuffled labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.stats import false_discovery_control, norm, rankdata

from scripts.monosem.evaluation.prompts.document import Pooling, RankedLatent, SetComparison, Shuffled
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

    mean: Float[np.ndarray, "prompts latents"]
    """Mean-pooled activations."""
    max: Float[np.ndarray, "prompts latents"]
    """Max-pooled activations."""
    label: Bool[np.ndarray, " prompts"]
    """True: of the set."""

    def pooled(self, pooling: str) -> Float[np.ndarray, "prompts latents"]:
        """Activations by the name of the pooling."""
        return getattr(self, pooling)


POOLINGS = ("mean", "max")
Labels = Bool[np.ndarray, " _"]
"""Membership in the set, of the prompts of one half."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of every column, from which the Mann-Whitney statistic of any labelling follows by one product."""

    ranks: Float[np.ndarray, "prompts latents"]
    ties: Float[np.ndarray, " latents"]
    """Σ (t³ − t) over groups of ties."""

    @classmethod
    def of(cls, values: Float[np.ndarray, "prompts latents"]) -> "Ranks":
        """Average ranks per column."""
        ranks = rankdata(values, axis=0)
        ties = np.array([sum(t**3 - t for t in np.unique(column, return_counts=True)[1]) for column in ranks.T], float)
        return cls(ranks, ties)

    def z(self, label: Bool[np.ndarray, "*labellings prompts"]) -> Float[np.ndarray, "*labellings latents"]:
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
    first: Ranks, second: Ranks, labels: tuple[Labels, Labels], rate: float
) -> tuple[Integer[np.ndarray, " discovered"], Integer[np.ndarray, " confirmed"]]:
    """Columns that are discovered on the first half, and those of them that are confirmed on the second.

    Args:
        rate: false discovery rate of either step.
    """
    z = first.z(labels[0])
    discovered = np.flatnonzero(false_discovery_control(2 * norm.sf(np.abs(z))) <= rate) if len(z) else np.empty(0, int)
    if len(discovered) == 0:
        return discovered, discovered
    again = second.z(labels[1])[discovered] * np.sign(z[discovered])
    return discovered, discovered[false_discovery_control(norm.sf(again)) <= rate]


def shuffled(
    first: Ranks, second: Ranks, labels: tuple[Labels, Labels], rate: float, n: int, rng: np.random.Generator
) -> Shuffled:
    """Discoveries under n permutations of the labels within each half."""
    counts = []
    for _ in range(n):
        discovered, confirmed = discover(first, second, tuple(rng.permutation(label) for label in labels), rate)
        counts.append((len(discovered), len(confirmed)))
    discovered, confirmed = np.array(counts).T
    return Shuffled(
        shuffles=n,
        median_discovered=float(np.median(discovered)),
        median_confirmed=float(np.median(confirmed)),
        mean_confirmed=float(confirmed.mean()),
        share_with_discovery=float((discovered > 0).mean()),
        share_with_confirmation=float((confirmed > 0).mean()),
    )


def chance_correlation(
    half: Half, columns: Integer[np.ndarray, " tested"], n: int, rng: np.random.Generator
) -> float | None:
    """Mean correlation of the highest ranked columns under n permutations of the labels."""
    if len(columns) == 0:
        return None
    top = []
    for _ in range(n):
        permuted = mean_correlation(Half(half.mean, half.max, rng.permutation(half.label)))[columns]
        top.append(np.sort(permuted)[-LISTED:].mean())
    return float(np.mean(top))


def ranked(
    latent: int, correlation: float, second: Half, confirmed: dict[str, Integer[np.ndarray, " _"]]
) -> RankedLatent:
    """Row of one latent; `confirmed` holds the confirmed latents of each pooling."""
    fires = second.max[:, latent] > 0
    auc = {
        f"auc_{pooling}": float(classification.auc(second.pooled(pooling)[:, [latent]], second.label)[0])
        for pooling in POOLINGS
    }
    return RankedLatent(
        latent=latent,
        mean_correlation=correlation,
        fires_on_set=float(fires[second.label].mean()),
        fires_on_baseline=float(fires[~second.label].mean()),
        **auc,
        **{f"confirmed_{pooling}": bool(np.isin(latent, confirmed[pooling])) for pooling in POOLINGS},
    )


def compare_with_baseline(
    first: Half, second: Half, always_on: float, rate: float, n_shuffles: int, seed: int
) -> tuple[SetComparison, dict[str, np.ndarray]]:
    """Everything about one set against the baseline: numbers, and masks over latents for figures."""
    rng, labels = np.random.default_rng(seed), (first.label, second.label)
    constant, tested = filter_latents(first, always_on)
    columns, correlation = np.flatnonzero(tested), mean_correlation(first)
    top = columns[np.argsort(-correlation[columns], kind="stable")][:LISTED]
    poolings, confirmed, masks = {}, {}, {"always_on": constant, "tested": tested}
    for pooling in POOLINGS:
        ranks = tuple(Ranks.of(half.pooled(pooling)[:, columns]) for half in (first, second))
        chosen = [columns[part] for part in discover(*ranks, labels, rate)]
        confirmed[pooling] = chosen[1]
        for step, latents in zip(("discovered", "confirmed"), chosen, strict=True):
            masks[f"{step}.{pooling}"] = np.isin(np.arange(len(tested)), latents)
        auc = classification.auc(second.pooled(pooling)[:, top], second.label)
        poolings[pooling] = Pooling(
            n_discovered=len(chosen[0]),
            n_confirmed=len(chosen[1]),
            top_auc=float(auc.mean()) if len(auc) else None,
            shuffled=shuffled(*ranks, labels, rate, n_shuffles, rng),
        )
    result = SetComparison(
        n_prompts=tuple(int(half.label.sum()) for half in (first, second)),
        n_baseline=tuple(int((~half.label).sum()) for half in (first, second)),
        n_latents=len(tested),
        n_always_on=int(constant.sum()),
        n_tested=len(columns),
        poolings=poolings,
        top_mean_correlation_shuffled=chance_correlation(first, columns, n_shuffles, rng),
        top_mean_correlation=float(correlation[top].mean()) if len(columns) else None,
        ranking=tuple(ranked(int(latent), float(correlation[latent]), second, confirmed) for latent in top),
    )
    return result, masks
