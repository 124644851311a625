"""Everything that is measured on trained autoencoders, as a configuration states it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MinLen

from scripts.monosem.core.declaration import (
    UNIQUE,
    Count,
    InnerShare,
    Name,
    Probability,
    Text,
    Weight,
    Whole,
)
from scripts.monosem.workflow.declaration.common import TrainedSae


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores on held-out text."""

    tokens: Count
    """Of held-out text."""
    tokens_of: dict[str, Count] | None = None
    """The same for single models."""
    split: Literal["validation", "test"] = "test"
    """Of the corpus; settings are chosen on validation."""
    bootstrap: Count
    """Resamplings over documents."""
    headline: TrainedSae
    """The autoencoder that the report is about."""


@dataclass(frozen=True, kw_only=True)
class NamedLatent(TrainedSae):
    """A latent that gets a page of its own."""

    latent: Whole
    """Its number."""


@dataclass(frozen=True, kw_only=True)
class Interpretation:
    """Latents beside neurons: examples, labels, specificity."""

    use: tuple[TrainedSae, ...]
    """Autoencoders."""
    units: Count
    """Random live latents, and as many neurons."""
    examples: Count
    """Top examples per unit."""
    tokens: Count
    """Of each of validation and test."""
    tokens_of: dict[str, Count] | None = None
    """The same for single models."""
    named: dict[Name, NamedLatent | None] | None = None
    """Latents of your own choice that get a page, results/features/{name}.html; null leaves one out."""


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Case studies: the headline's best latent for every context that a rule finds in text, or that is planted."""

    tokens: Count
    """Of the test split at most, and a third as many of validation; of a pretrained model at most evaluation.tokens."""


@dataclass(frozen=True, kw_only=True)
class Dictionaries:
    """Whole dictionaries of the headline's site beside one another."""

    narrower: Annotated[tuple[str, ...], UNIQUE]
    """Runs at the headline's site whose latents split into those of the headline; may be empty."""
    tokens: Count
    """Of each of validation and test, among interpretation.tokens."""


@dataclass(frozen=True, kw_only=True)
class BrowsedSaes:
    """Autoencoders of one site."""

    model: str
    """A name under models; or chapters.language_model."""
    site: str
    """A TransformerLens hook name, e.g. blocks.0.mlp.hook_post."""
    runs: Annotated[tuple[str, ...], MinLen(1), UNIQUE]
    """Names under sae.runs."""


@dataclass(frozen=True, kw_only=True)
class Browser:
    """The feature browser: a page that runs small models and their autoencoders."""

    use: tuple[BrowsedSaes, ...]
    """Autoencoders of the page; none: no page."""
    tokens: Count
    """Stored activations from which examples are taken where a model does not run in the page."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Hidden states by which examples are compared."""

    model: str
    """A name under models, of the same tokenizer; best one whose units are not scored."""
    site: str
    """A TransformerLens hook name, e.g. blocks.0.hook_resid_mid."""


@dataclass(frozen=True, kw_only=True)
class ScoredSae(TrainedSae):
    """One trained autoencoder whose latents are scored beside neurons."""

    judge: Judge
    """Hidden states by which examples are compared."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Latents beside neurons and random units: how well text explains them."""

    use: tuple[ScoredSae, ...]
    """Autoencoders."""
    units: Count
    """Random live units of each population."""
    examples: Count
    """Activating examples per unit, from which patterns are found."""


@dataclass(frozen=True, kw_only=True)
class AnalysedModel:
    """A model, and others that it is compared with."""

    model: str
    """A name under models; or chapters.language_model."""
    against: Annotated[tuple[str, ...], UNIQUE] = ()
    """Models of the same tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Activations of a model at every layer."""

    use: tuple[AnalysedModel, ...]
    """Models."""
    tokens: Count
    """Of the test split."""
    words: Text
    """A YAML file with groups of words of similar meaning."""
    texts: dict[Name, Text | None]
    """Texts by name whose tokens are looked at one by one; null leaves one out."""


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Latents that tell sets of prompts apart."""

    use: tuple[TrainedSae, ...]
    """Autoencoders."""
    sets: dict[Name, Text | None]
    """YAML files with a list of prompts each, by the name of the set; null leaves one out."""
    baseline: str
    """The set that the others are compared with."""
    always_on: Probability
    """Share of prompts from which a latent counts as always on."""
    false_discovery_rate: InnerShare
    """Of the tests, after Benjamini and Hochberg."""
    shuffles: Count
    """Permutations of the sets' labels."""


@dataclass(frozen=True, kw_only=True)
class NamedIntervention:
    """A latent or neuron that is pinned while the model reads a text or continues a prompt."""

    model: str
    """A name under models; or chapters.language_model."""
    site: str
    """A TransformerLens hook name, e.g. blocks.0.mlp.hook_post."""
    run: str | None = None
    """Whose latent: a name under sae.runs, used at this site; without it, a neuron."""
    unit: Whole
    """Number of the latent or neuron, from 0."""
    doses: Annotated[tuple[Weight, ...], MinLen(1), UNIQUE] | None = None
    """Multiples of its largest activation, 0 ablates; else the doses of the section."""
    values: Annotated[tuple[float, ...], MinLen(1), UNIQUE] | None = None
    """Activations in place of doses."""
    text: Text | None = None
    """The text that the model reads meanwhile: the loss of each token."""
    prompt: Text | None = None
    """The text that it continues meanwhile."""
    samples: Count | None = None
    """Continuations per value, else as in the section."""
    sample_tokens: Count | None = None
    """Length of each, else as in the section."""
    random: Count | None = None
    """Random units pinned in the same way, the control; else random_latents."""


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """Latents pinned to a value while the model reads or writes."""

    use: tuple[TrainedSae, ...]
    """Autoencoders; they must be interpreted too."""
    doses: Annotated[tuple[Weight, ...], MinLen(1), UNIQUE]
    """Multiples of a latent's largest activation."""
    prompt: Text
    """The text that the model continues."""
    samples: Count
    """Continuations per latent and dose."""
    sample_tokens: Count
    """Length of a continuation."""
    random_latents: Count
    """Latents drawn at random, the control."""
    tokens: Count
    """Text in which live latents and their maxima are looked for."""
    named: dict[Name, NamedIntervention | None] | None = None
    """Interventions of your own, each made as results/interventions/{name}/; null leaves one out."""
