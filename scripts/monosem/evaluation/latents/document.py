"""Contents of interpretation.json and contexts.json. No torch."""

from dataclasses import dataclass, field

from scripts.monosem.evaluation.documents import FLAT


@dataclass(frozen=True)
class SplitCounts:
    """Tokens read of each split."""

    validation: int
    test: int


@dataclass(frozen=True)
class TopToken:
    """A token with a high mean activation."""

    token: int
    """Token id."""
    text: str
    mean_activation: float
    """Over all occurrences of the token in the text read."""
    count: int
    """Occurrences."""


@dataclass(frozen=True)
class Example:
    """A window with one of the unit's largest activations, cut to the neighbourhood of its peak."""

    activation: float
    """At the peak."""
    document: int
    """Number of the document in the split."""
    source_position: int
    """Offset of the peak in the token stream."""
    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    """One per token."""
    peak: int
    """Place of the peak among the tokens."""


@dataclass(frozen=True)
class TokenWeight:
    """Logit weight of one token."""

    token: int
    """Token id."""
    text: str
    weight: float
    """Above the median token's, in units of the logits before the last norm's division."""


@dataclass(frozen=True)
class LogitWeights:
    """The tokens at either end of a unit's logit weights."""

    top: tuple[TokenWeight, ...]
    bottom: tuple[TokenWeight, ...]


@dataclass(frozen=True)
class Card:
    """One latent or neuron."""

    index: int
    """Number of the unit."""
    density: float
    """Share of tokens with activation > 0."""
    max_activation: float
    token_entropy_nats: float | None
    """Entropy of the activation summed per token; None for a unit that does not fire."""
    effective_tokens: float | None
    """exp of the entropy."""
    single_token: bool | None
    """True if the peaks of its best windows are one token; None where it fires in too few windows."""
    top_tokens: tuple[TopToken, ...]
    examples: tuple[Example, ...]
    logit_weights: LogitWeights | None
    """None where the site has none."""


@dataclass(frozen=True)
class UnitSummary:
    """Statistics over all sampled latents, or neurons."""

    n_live: int
    """Units that fire on the validation split."""
    n_units: int
    """Units sampled of these."""
    n_scored: int
    """Units that fire in enough windows for entropy and the single-token share."""
    single_token_share: float | None
    mean_token_entropy_nats: float | None
    median_token_entropy_nats: float | None
    chance_entropy_difference_nats: float | None
    """|difference of medians| of two random halves that one permutation in twenty exceeds."""
    token_entropies_nats: tuple[float, ...]
    median_density: float | None


@dataclass(frozen=True)
class BothKinds:
    """Latents and neurons side by side."""

    latents: UnitSummary
    neurons: UnitSummary


@dataclass(frozen=True)
class Interpretation:
    """interpretation.json: cards and statistics of units of one autoencoder, and of its site's neurons."""

    model: str
    site: str
    run: str
    n_tokens: SplitCounts
    conventions: dict[str, str]
    logit_weights: str | None
    """Reason why the site has no logit weights."""
    summary: BothKinds
    latents: tuple[Card, ...]
    neurons: tuple[Card, ...]


@dataclass(frozen=True)
class Scores:
    """A unit as a classifier of tokens, at its threshold."""

    precision: float | None
    recall: float | None
    f1: float | None
    pearson: float
    """Correlation of activation and label; no threshold."""


@dataclass(frozen=True)
class ScoresOnTest:
    """Scores on the test split."""

    scores: Scores = field(metadata=FLAT)
    specificity: float | None
    """Share of tokens with activation > 0 that are of the context."""
    density: float
    """Share of tokens with activation > 0."""


@dataclass(frozen=True)
class SpecificityBin:
    """Tokens on which a unit fires with a strength between two bounds."""

    lower: float
    upper: float
    n_tokens: int
    in_context_share: float | None


@dataclass(frozen=True)
class UnitScore:
    """One unit against one label."""

    index: int
    """Number of the unit."""
    threshold: float | None
    """Chosen on validation; None for a silent unit."""
    validation: Scores
    test: ScoresOnTest
    specificity_by_activation: tuple[SpecificityBin, ...]


@dataclass(frozen=True)
class ContextControls:
    """Units that should fail where the context's latent succeeds."""

    shuffled_labels: UnitScore
    random_latent: UnitScore | None
    """None if no live latent is left."""
    other_contexts_best: UnitScore | None
    """None if there is no other context."""


@dataclass(frozen=True)
class Context:
    """One planted context."""

    share_of_tokens: float
    """Of the test split."""
    n_test_tokens: int
    latent: UnitScore
    neuron: UnitScore
    controls: ContextControls
    confusion: dict[str, float | None]
    """Share of each label among the tokens on which the latent fires."""
    firing_rate: dict[str, float | None]
    """Share of each label's tokens on which the latent fires."""
    pearson_with: dict[str, float]
    """Correlation with the label of each context."""


@dataclass(frozen=True)
class Contexts:
    """contexts.json: the best latent and neuron of every planted context."""

    model: str
    site: str
    run: str
    conventions: dict[str, str]
    n_tokens: SplitCounts
    contexts: dict[str, Context]
