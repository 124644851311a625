"""Contents of scores.json and explanations.json. No torch."""

from dataclasses import dataclass

from scripts.monosem.evaluation.documents import Estimate


@dataclass(frozen=True)
class UnitEstimate(Estimate):
    """Mean of a score over the units that have it, with a bootstrap interval over these."""

    median: float | None


@dataclass(frozen=True)
class UnitDifference(Estimate):
    """One population minus another in a score: difference of means, with a bootstrap interval over units.

    At equal density, where units are paired by their latent, it is the mean of the differences of the pairs; else n
    counts the units of the smaller sample.
    """

    p_value: float | None
    """Two-sided: Wilcoxon's signed ranks of pairs, Mann and Whitney's test of unpaired units."""


@dataclass(frozen=True)
class SampleScores:
    """Scores of one sample of units."""

    n_units: int
    scores: dict[str, UnitEstimate]
    by_interval: dict[str, tuple[UnitEstimate, ...]]
    """Scores of which each is taken on the tokens of one interval of activation, the lowest interval first."""
    above: dict[str, dict[str, UnitDifference]]
    """These units minus those of other populations, by population and score."""


@dataclass(frozen=True)
class PopulationScores:
    """Units of one kind."""

    what: str
    n_live: int
    raw: SampleScores
    """Units at random among the live."""
    equal_density: SampleScores
    """Units paired with the latents and cut to their density."""


@dataclass(frozen=True)
class Scores:
    """scores.json: latents of one autoencoder beside other populations of units."""

    model: str
    site: str
    run: str
    control: str | None
    """The permuted model, whose own autoencoder's latents are a population."""
    judge: str
    """Model and site whose hidden states compare examples."""
    n_tokens: dict[str, int]
    """By split."""
    conventions: dict[str, str]
    populations: dict[str, PopulationScores]


@dataclass(frozen=True)
class Pattern:
    """Tokens that end a piece of text on which a unit is predicted to fire."""

    tokens: tuple[str | None, ...]
    """In the order of the text; None for any token."""
    activation: float
    """That is predicted."""


@dataclass(frozen=True)
class ExplainedUnit:
    """One unit with its explanations and scores."""

    index: int
    density: float
    """Share of the test tokens on which it fires."""
    scores: dict[str, float | None]
    patterns: tuple[Pattern, ...]
    """Those of the largest activation."""
    logit_tokens: tuple[str, ...]
    """Of largest logit weight; none where the site has no logit weights."""


@dataclass(frozen=True)
class Explanations:
    """explanations.json: the units of each population, as they are."""

    model: str
    site: str
    run: str
    populations: dict[str, tuple[ExplainedUnit, ...]]
