"""Contents of cases.json. No torch."""

from dataclasses import dataclass

from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.latents.document import SplitCounts

SUBJECTS = ("latent", "neuron", "random_dictionary", "permuted_model", "lookup")
"""Subjects of every context: the best unit of each kind, and the token lookup."""


@dataclass(frozen=True)
class CaseUnit:
    """One unit, or the token lookup, against one context; intervals over documents of the test split."""

    index: int | None
    """Number of the unit, chosen on validation by the highest correlation; None for the lookup."""
    threshold: float | None
    """Of precision and recall; that of the highest F1 on validation."""
    pearson: Estimate
    """Correlation of activation and label."""
    gain: Estimate
    """The same less that of the lookup on the same tokens."""
    added_variance: Estimate
    """Share of the label's variance that lookup and unit explain together, less that of the lookup alone."""
    precision: Estimate
    """Share of the tokens above the threshold that are in context."""
    recall: Estimate
    """Share of the context's tokens that are above the threshold."""
    proxy_pearson: Estimate | None = None
    """Correlation of activation and the paper's proxy; None where the paper has none."""


@dataclass(frozen=True)
class Case:
    """One context."""

    kind: str
    """natural, planted, or natural and planted, by the documents of the test split that hold it."""
    what: str
    """In words."""
    n_tokens: SplitCounts
    """Tokens in context."""
    n_windows: int
    """Windows of the test split that hold it; all are read."""
    n_documents: int
    """Documents of the test split that hold it."""
    share_of_tokens: float
    """Of the test split."""
    reported_as: str
    """context feature, if the latent's correlation lies above the lookup's; token feature, if the lookup reaches it;
    undecided, if the interval of the gain contains 0."""
    proxy_label: Estimate | None
    """Correlation of the paper's proxy and the label."""
    subjects: dict[str, CaseUnit]
    """By SUBJECTS."""


@dataclass(frozen=True)
class UnseenText:
    """Text that is not of the corpus: on which share of its tokens the units of contexts are above their thresholds."""

    n_tokens: int
    """Tokens in the script, or of the certificates."""
    n_documents: int
    characters_per_token: float
    firing: dict[str, dict[str, Estimate]]
    """Context -> subject -> share."""


@dataclass(frozen=True)
class CaseStudies:
    """cases.json: the best latent of every context beside what should do worse."""

    model: str
    site: str
    run: str
    n_tokens: SplitCounts
    """Tokens read."""
    n_lookup_tokens: int
    """Tokens of the train split on which P(context | token) was counted."""
    conventions: dict[str, str]
    sources: dict[str, str]
    """Packages from which the unseen text is -> version."""
    cases: dict[str, Case]
    unseen: dict[str, UnseenText]
    other_text: dict[str, dict[str, Estimate]]
    """Context -> subject -> share of the other tokens of the test split on which it is above its threshold."""
