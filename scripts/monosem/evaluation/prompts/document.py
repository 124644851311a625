"""Contents of prompts.json. No torch."""

from dataclasses import dataclass, field

from scripts.monosem.evaluation.documents import Estimate


@dataclass(frozen=True)
class Shuffled:
    """Discoveries when the labels of set and baseline are permuted."""

    shuffles: int
    """Permutations."""
    median_discovered: float
    median_confirmed: float
    mean_confirmed: float
    share_with_discovery: float
    """Of the permutations."""
    share_with_confirmation: float


@dataclass(frozen=True)
class Pooling:
    """One way to pool a latent over the tokens of a prompt."""

    n_discovered: int
    """Latents that differ on the first half of the prompts."""
    n_confirmed: int
    """Of these, latents that differ in the same direction on the second half."""
    top_auc: float | None
    """Mean area under the ROC curve of the highest ranked latents, second half; None if none was tested."""
    shuffled: Shuffled


@dataclass(frozen=True)
class RankedLatent:
    """A latent of high correlation with membership in the set."""

    latent: int
    mean_correlation: float
    """Averaged over both poolings, first half."""
    fires_on_set: float
    """Share of the set's prompts, second half."""
    fires_on_baseline: float
    """Share of the baseline's prompts, second half."""
    auc_mean: float
    auc_max: float
    confirmed_mean: bool
    confirmed_max: bool
    strongest_on: tuple[str, ...] = ()
    """Tokens of the set's prompts on which it is largest, one per prompt."""


@dataclass(frozen=True)
class BesideWords:
    """A latent, or a classifier of text, on the second half of the prompts; intervals over prompts."""

    auc: Estimate
    """Area under the ROC curve."""
    over_words: Estimate
    """The same less that of the classifier of word counts, on the same prompts."""
    over_embeddings: Estimate
    """The same less that of the classifier of mean embeddings."""


@dataclass(frozen=True, kw_only=True)
class SetComparison:
    """One set of prompts against the baseline."""

    n_prompts: tuple[int, ...]
    """Prompts of the set in the first and the second half."""
    n_baseline: tuple[int, ...]
    """Prompts of the baseline in either half."""
    n_latents: int
    n_always_on: int
    """Latents left out because they fire on nearly every prompt."""
    n_tested: int
    poolings: dict[str, Pooling]
    """"mean", "max"."""
    top_mean_correlation: float | None = None
    """Mean over the highest ranked latents; absent if none was tested."""
    top_mean_correlation_shuffled: float | None = None
    """The same with permuted labels."""
    ranking: tuple[RankedLatent, ...]
    beside_words: dict[str, BesideWords] = field(default_factory=dict)
    """"latent" (the first in rank), "words", "embeddings", "permuted_labels"; empty if no latent was tested."""


@dataclass(frozen=True)
class WeakestSet:
    """The weakest set: a claim about sets should be true of each of them."""

    least_confirmed: int
    greatest_share_of_shuffles: float


@dataclass(frozen=True)
class PromptSets:
    """prompts.json: every set of prompts against the baseline, through one autoencoder."""

    model: str
    site: str
    run: str
    conventions: dict[str, str]
    baseline: str
    false_discovery_rate: float
    always_on: float
    """Share of prompts from which on a latent counts as always on."""
    mean_length_tokens: dict[str, float]
    prompts: dict[str, int]
    """Set -> number of prompts."""
    sets: dict[str, SetComparison]
    summary: WeakestSet
