"""Contents of universality.json, splitting.json and automata.json. No torch."""

from dataclasses import dataclass

from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.latents.document import Example


@dataclass(frozen=True)
class Matches:
    """Units of one side with the best match of each on the other."""

    n_units: int
    """Units that fire often enough on both splits."""
    n_candidates: int
    """The same of the other side."""
    median_correlation: Estimate
    """Of activations, over the units, on the test split, which did not choose the match; interval over documents."""
    share_above_half: Estimate
    """Share of the units whose correlation is above 0.5; interval over documents."""
    mutual_share: float | None
    """Share of the units that are the best match of their best match."""
    median_correlation_mutual: Estimate
    """Of these alone; interval over documents."""
    median_logit_correlation: Estimate
    """Of the logit weights of both over the usual tokens; interval over units."""
    median_attribution_correlation: Estimate
    """Of activation times the logit weight of the token that follows; interval over documents."""
    attribution_follows_activation: Estimate
    """Pearson correlation over the units of both correlations; interval over documents."""


@dataclass(frozen=True)
class MatchedCase:
    """The latent of a labelled context and its best match in the other model."""

    latent: int
    match: int
    correlation: Estimate
    """Of their activations; interval over documents."""
    logit_correlation: float | None
    attribution_correlation: Estimate
    label_correlation: float
    """Of the latent with the label."""
    match_label_correlation: float
    """Of the match with the label, which did not choose it."""
    examples: tuple[Example, ...]
    match_examples: tuple[Example, ...]


@dataclass(frozen=True)
class Universality:
    """universality.json: latents and neurons of one model matched with those of another seed."""

    model: str
    site: str
    run: str
    against: str
    """The other model."""
    control: str | None
    """The model of permuted weights."""
    n_tokens: int
    n_documents: int
    conventions: dict[str, str]
    subjects: dict[str, Matches]
    """`latents` and `neurons`; controls end on `_permuted_tokens` and `_permuted_model`."""
    advantage: dict[str, Estimate]
    """Median correlation of latents less that of neurons: `true`, `permuted_tokens`, `permuted_model`."""
    attribution_advantage: dict[str, Estimate]
    """The same of attributions."""
    cases: dict[str, MatchedCase]
    """By context."""


@dataclass(frozen=True)
class Width:
    """One dictionary."""

    run: str
    d_sae: int
    l0: float
    """On this text."""
    n_live: int
    """Latents that fire often enough on both splits."""


@dataclass(frozen=True)
class Children:
    """Latents of a narrow dictionary and what a wide one has in their place."""

    parents: str
    """Run of the narrow dictionary."""
    children: str
    """Run of the wide one."""
    n_parents: int
    n_edges: int
    """Pairs with a masked cosine above the bound on the validation split."""
    best_child_jaccard: Estimate
    """Median over parents: tokens on which the best child and the parent fire, of those on which either does."""
    union_jaccard: Estimate
    """The same of the union of the chosen children."""
    gain: Estimate
    """Mean over parents of the union's less the best child's."""
    split_share: Estimate
    """Share of the parents whose union of two or more children covers more than half, and more than any one child."""
    children_per_split: float | None
    """Mean number of children of these."""


@dataclass(frozen=True)
class ContextLatents:
    """Latents of one dictionary that fire mostly within one context."""

    count: Estimate
    """On the test split; interval over documents."""
    latents: tuple[int, ...]


@dataclass(frozen=True)
class LogitScatter:
    """Two latents of one context in a wide dictionary."""

    context: str
    run: str
    latents: tuple[int, ...]
    top_tokens: tuple[tuple[str, ...], ...]
    """Those of the largest logit weights, for either."""
    correlation: float
    """Of their logit weights over the usual tokens."""
    overlap: float
    """Jaccard index of their firing."""


@dataclass(frozen=True)
class Family:
    """A latent of the narrowest dictionary and its descendants."""

    name: str
    """The context it is for, or "most split"."""
    nodes: tuple[tuple[int, ...], ...]
    """Latents by dictionary, in the order of `widths`."""
    labels: tuple[tuple[str, ...], ...]
    """Top tokens of each."""
    edges: tuple[tuple[int, int, int, float], ...]
    """Dictionary of the parent, parent, child, masked cosine."""


@dataclass(frozen=True)
class Splitting:
    """splitting.json: dictionaries of growing width on one site."""

    model: str
    site: str
    n_tokens: int
    n_documents: int
    conventions: dict[str, str]
    widths: tuple[Width, ...]
    subjects: dict[str, Children]
    """`widest` and `step_0`, …: parents and their children; `random_pairing` and `permuted_model` are controls."""
    context_latents: dict[str, dict[str, ContextLatents]]
    """Context -> run -> its latents; `permuted_labels` for the widest dictionary with labels permuted over documents,
    `permuted_model` for the dictionary of the permuted model."""
    growth: dict[str, Estimate]
    """Latents of all contexts together: those of the widest dictionary less those of the narrowest; `true`,
    `permuted_labels`, `permuted_model`."""
    scatter: LogitScatter | None
    """None if no context has two latents."""
    families: tuple[Family, ...]


@dataclass(frozen=True)
class Transitions:
    """Edges i → j that the logit weights of i choose, on text that they did not see."""

    n_units: int
    """Latents with edges."""
    n_edges: int
    lift: Estimate
    """Times that j fires right after i, over what independence would give: a ratio of sums over the edges."""
    share_above_one: Estimate
    """Share of the edges whose own lift is above 1; interval over documents."""
    n_ablated: int
    """Edges whose i was ablated."""
    probability_ratio: Estimate
    """Probability of a next token on which j fires, as the model is over with i ablated; where i fires."""


@dataclass(frozen=True)
class Edge:
    """One edge of the automata."""

    source: int
    target: int
    effect: float
    """Mean logit weight of the source on the target's tokens, in standard deviations over the vocabulary."""
    lift: Estimate
    """Interval over documents; n counts the transitions seen."""
    probability_ratio: Estimate


@dataclass(frozen=True)
class Passage:
    """A text on which an automaton runs."""

    tokens: tuple[str, ...]
    states: tuple[int | None, ...]
    """Strongest latent of the automaton at each token; None where none fires."""


@dataclass(frozen=True)
class Automaton:
    """Latents that lead to one another."""

    kind: str
    """"loop" of one latent, "cycle" of several that reach each other, or "chain"."""
    nodes: tuple[int, ...]
    labels: tuple[str, ...]
    """Tokens on which each fires most."""
    edges: tuple[Edge, ...]
    passage: Passage


@dataclass(frozen=True)
class Automata:
    """automata.json: transitions between latents of one dictionary."""

    model: str
    site: str
    run: str
    control: str | None
    n_tokens: int
    n_documents: int
    conventions: dict[str, str]
    subjects: dict[str, Transitions]
    """`latents`; controls `shuffled_next`, `permuted_targets` and `permuted_model`."""
    n_confirmed: int
    """Edges of the dictionary that logits choose, and held-out transitions and ablation confirm."""
    automata: tuple[Automaton, ...]
