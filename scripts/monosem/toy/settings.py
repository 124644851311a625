"""Parameters of every toy experiment, as an entry under `toy` in the configuration states them. No torch.

They are the one declaration of what may be configured: `core.declaration` builds them from YAML and makes the schema.
What concerns several parameters at once is in `workflow/checks/toy.py`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from scripts.monosem.core.declaration import (
    UNIQUE,
    Count,
    InnerShare,
    Keyword,
    Name,
    PartOf,
    Positive,
    Probability,
    Share,
    Weight,
)
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import SaeConfig

TwoOrMore = Annotated[int, Ge(2)]
Probabilities = Annotated[tuple[Probability, ...], MinLen(1)]
Architecture = Annotated[str, Keyword("enum", tuple(ARCHITECTURES))]
SaeKeys = Annotated[dict[str, Any], PartOf(SaeConfig)]
"""Keys of SaeConfig."""
SparsityValue = Annotated[int | float, Gt(0)]
"""Of the parameter that sets sparsity: k, or λ at data scaled to E‖h‖² = d."""


@dataclass(frozen=True)
class LogRange:
    """Values evenly spaced in the logarithm."""

    low: Positive
    """The first."""
    high: Positive
    """The last."""
    levels: TwoOrMore
    """Number of values."""


@dataclass(frozen=True)
class SuperpositionConfig:
    """Toy models at several sparsities: n features in m dimensions."""

    n: Count
    """Features."""
    m: Count
    """Hidden dimensions."""
    importance: Probability
    """Feature i weighs importance^i in the loss."""
    probabilities: Probabilities
    """Feature-on probability of each level, densest first."""
    restarts: Count
    """Models per level and output; the one of least loss is kept."""
    steps: Count
    """Adam steps."""
    batch_size: Count
    """Samples per step and level, shared by the restarts of a level."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""
    evaluation_samples: Count
    """Fresh samples on which restarts are compared and losses reported (the linear model has a closed form)."""


@dataclass(frozen=True)
class PhaseDiagramConfig:
    """The fate of one extra feature against sparsity and importance."""

    n: Annotated[int, Ge(2), Le(3)]
    """Features in n − 1 dimensions."""
    importances: LogRange
    """Of the extra feature."""
    probabilities: LogRange
    """Feature-on probabilities."""
    restarts: Count
    """Models per cell."""
    steps: Count
    """Adam steps."""
    points: Count
    """Nodes per feature of the training grid, which replaces sampling."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""
    slice_probability: InnerShare
    """Feature-on probability at which the loss curves over importance are drawn."""

    @property
    def m(self) -> int:
        """Hidden dimensions."""
        return self.n - 1


@dataclass(frozen=True)
class UniformGeometryConfig:
    """Equally important features over sparsity, one model per level."""

    n: Count
    """Features."""
    m: Count
    """Hidden dimensions."""
    inverse_probabilities: LogRange
    """1/p, one level each."""
    initial_std: Positive
    """Standard deviation of the initial weights; from small ones features grow one after another."""
    steps: Count
    """Adam steps."""
    batch_size: Count
    """Samples per step, from random numbers that all levels share."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""


@dataclass(frozen=True)
class NonUniformConfig:
    """A pentagon, five features in two dimensions, of which one grows rare."""

    probability: InnerShare
    """Feature-on probability of the four features that stay as they are."""
    ratios: LogRange
    """Density of the changed feature relative to the others."""
    restarts: Count
    """Models from random weights per ratio; the best is kept."""
    steps: Count
    """Adam steps."""
    points: tuple[Count, Count, Count, Count, Count]
    """Nodes per value of the training grid where one, two, … five features are on."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""

    @property
    def n(self) -> int:
        """Features."""
        return 5

    @property
    def m(self) -> int:
        """Hidden dimensions."""
        return 2


@dataclass(frozen=True)
class LargeSets:
    """Large sets of features that go together."""

    sets: TwoOrMore
    """Number of sets."""
    size: TwoOrMore
    """Features in each."""
    m: Count
    """Hidden dimensions."""
    restarts: Count
    """Models."""


@dataclass(frozen=True)
class CorrelatedConfig:
    """Features in correlated and anticorrelated sets: pairs in two dimensions, two large sets, three pairs."""

    pair_probability: InnerShare
    """That a pair is on, of two pairs in two dimensions."""
    hexagon_probability: InnerShare
    """That a pair is on, of three pairs in two dimensions; sparse enough that none of them collapses."""
    bases: LargeSets
    """Large correlated sets."""
    bases_probability: InnerShare
    """That a large set is on."""
    collapse_probabilities: Probabilities
    """That a pair is on, of three correlated pairs in two dimensions, densest first."""
    restarts: Count
    """Models of pairs, per density."""
    steps: Count
    """Adam steps."""
    batch_size: TwoOrMore
    """Samples per step and density; empty inputs are weighted, never sampled."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""
    evaluation_samples: Count
    """Fresh samples on which models are compared."""


@dataclass(frozen=True)
class EnergyLevels:
    """A model of equally important features that ends in digons."""

    n: Count
    """Features."""
    m: Count
    """Hidden dimensions."""
    probability: InnerShare
    """Feature-on probability."""
    initial_std: Positive
    """Standard deviation of the initial weights."""
    steps: Count
    """Adam steps."""
    batch_size: TwoOrMore
    """Samples per step."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""


@dataclass(frozen=True)
class Octahedron:
    """Two sets of three correlated features in three dimensions."""

    probability: InnerShare
    """That a set is on."""
    restarts: Count
    """Models."""
    initial_std: Positive
    """Standard deviation of the initial weights."""
    steps: Count
    """Adam steps."""
    batch_size: TwoOrMore
    """Samples per step."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""


@dataclass(frozen=True)
class DynamicsConfig:
    """Models that are watched while they train."""

    levels: EnergyLevels
    """One uniform model."""
    octahedron: Octahedron
    """Many small models of correlated sets."""


@dataclass(frozen=True)
class AdversarialConfig:
    """Attacks on models of equally important features, one level per feature probability."""

    n: Count
    """Features."""
    m: Count
    """Hidden dimensions."""
    probabilities: Probabilities
    """Feature-on probability of each level, densest first."""
    attack: Positive
    """Length of the attack, in mean input norms of the level."""
    training_attack: Weight
    """The same in adversarial training, which is a second set of models; 0 leaves it out."""
    steps: Count
    """Adam steps."""
    batch_size: TwoOrMore
    """Samples per step and level."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""
    evaluation_samples: TwoOrMore
    """Fresh samples on which losses under attack are measured."""


@dataclass(frozen=True)
class PrivilegedBasisConfig:
    """Models with a ReLU on the hidden layer, x' = ReLU(Wᵀ ReLU(W x) + b), one level per feature probability."""

    n: Count
    """Features."""
    m: Count
    """Hidden neurons."""
    importance: Probability
    """Feature i weighs importance^i in the loss."""
    probabilities: Probabilities
    """Feature-on probability of each level, densest first."""
    restarts: Count
    """Models per level; the one of least loss is kept."""
    steps: Count
    """Adam steps."""
    batch_size: Count
    """Samples per step and level, shared by the restarts of a level."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""
    evaluation_samples: Count
    """Fresh samples on which restarts are compared."""


@dataclass(frozen=True)
class AbsoluteValueConfig:
    """Models that compute the absolute value of n features with m neurons, one level per feature probability."""

    n: TwoOrMore
    """Features, in and out."""
    m: Count
    """Hidden neurons; 2 n would compute every feature exactly."""
    importance: Probability
    """Feature i weighs importance^i in the loss."""
    probabilities: Probabilities
    """Feature-on probability of each level, densest first."""
    restarts: Count
    """Models per level; the one of least loss is kept."""
    steps: Count
    """Adam steps."""
    batch_size: TwoOrMore
    """Samples per step and level, shared by the restarts of a level."""
    learning_rates: Annotated[tuple[Positive, ...], MinLen(1)]
    """Adam's, one per probability; constant for half of the steps, then linear to zero."""
    evaluation_samples: Count
    """Fresh samples on which losses are measured."""


@dataclass(frozen=True)
class PolysemanticNeuronConfig:
    """One binary neuron and several exclusive features, many models from random starts for each of two losses."""

    n: Annotated[int, Ge(3)]
    """Features, exactly one of which is on."""
    restarts: Count
    """Models per loss."""
    steps: Count
    """Adam steps, on exact expectations."""
    learning_rate: Positive
    """Adam's; constant for half of the steps, then linear to zero."""


@dataclass(frozen=True)
class SparseFeatures:
    """Random directions that are on rarely, with falling probability (Sharkey, Braun & Millidge 2022)."""

    n: Count
    """Features."""
    d: Count
    """Dimensions."""
    active: Positive
    """Features on at a time, on average."""
    decay: Probability
    """Feature i is on with a probability proportional to decay^i."""
    correlation: Annotated[float, Ge(0), Lt(1)]
    """ρ: share of the variance of each feature's latent Gaussian that comes from common factors."""
    factors: Count
    """Common factors behind the correlations."""


@dataclass(frozen=True)
class Truth:
    """Where activations with known features come from: one of the two."""

    toy_model: SuperpositionConfig | None = None
    """Hidden states of a toy model of one probability."""
    sparse_features: SparseFeatures | None = None
    """Sparse combinations of random directions."""


@dataclass(frozen=True)
class Headline:
    """The setting of an architecture that is graded, chosen beforehand."""

    value: SparsityValue
    """One of the grid's values."""
    width: Count
    """One of the grid's widths."""


@dataclass(frozen=True)
class Grid:
    """The SAEs of one architecture over sparsity and width."""

    values: Annotated[tuple[SparsityValue, ...], MinLen(1), UNIQUE]
    """Of the parameter that sets sparsity: k, or the coefficient λ of the penalty at data scaled to E‖h‖² = d."""
    widths: Annotated[tuple[Count, ...], MinLen(1), UNIQUE]
    """Numbers of latents."""
    headline: Headline
    """The setting that is graded, on every seed."""
    sae: SaeKeys = field(default_factory=dict)
    """Keys of SaeConfig that are special to this architecture."""


@dataclass(frozen=True)
class RecoveryConfig:
    """Sparse autoencoders against known features, over sparsity and width."""

    truth: Annotated[Truth, Keyword("minProperties", 1), Keyword("maxProperties", 1)]
    """Where activations with known features come from."""
    vectors: Count
    """Activations that the SAEs are trained on."""
    held_out: Count
    """Fresh ones on which L0, explained variance and correlations are measured."""
    sae: SaeKeys
    """Keys of SaeConfig that all SAEs share, as under sae.defaults; `vectors` in it counts those seen in training."""
    grids: Annotated[dict[Architecture, Grid | None], MinLen(1)]
    """Architecture -> its SAEs; null leaves one out."""
    design: Literal["full", "cross"]
    """'full': every value at every width; 'cross': only those that share value or width with the headline."""
    n_seeds: Count
    """SAEs at the headline settings; one at the others."""
    ica_iterations: Count
    """Most iterations of FastICA."""

    @property
    def trained_grids(self) -> dict[str, Grid]:
        """Architecture -> its SAEs, without those that are left out."""
        return {architecture: grid for architecture, grid in self.grids.items() if grid is not None}


@dataclass(frozen=True)
class AbsorptionConfig:
    """Sparse autoencoders of several architectures on a hierarchy of features: parents and children."""

    parents: Count
    """Features that can be on alone."""
    children: Count
    """Per parent; at most one of them is on."""
    d: Count
    """Dimensions, at least parents · (1 + children)."""
    parent_probability: InnerShare
    """That a parent is on."""
    child_share: InnerShare
    """Share of a parent's occurrences that have one of its children."""
    weakest: Share
    """Strengths are uniform on [weakest, 1]."""
    vectors: Count
    """Activations that the SAEs are trained on."""
    held_out: Count
    """Fresh ones on which absorption is measured."""
    sae: SaeKeys
    """Keys of SaeConfig that all SAEs share, as under sae.defaults."""
    architectures: Annotated[
        dict[Name, Annotated[dict[str, Any], PartOf(SaeConfig, required=["architecture"])]], MinLen(1)
    ]
    """SAEs by a name of your choice -> keys of SaeConfig."""
    n_seeds: Count
    """SAEs per architecture and kind of data."""

    @property
    def n(self) -> int:
        """Features: all parents, then the children of the first, of the second, …"""
        return self.parents * (1 + self.children)


CONFIGS: dict[str, type] = {
    "superposition": SuperpositionConfig,
    "phase-diagram": PhaseDiagramConfig,
    "uniform-geometry": UniformGeometryConfig,
    "non-uniform": NonUniformConfig,
    "correlated": CorrelatedConfig,
    "dynamics": DynamicsConfig,
    "adversarial": AdversarialConfig,
    "privileged-basis": PrivilegedBasisConfig,
    "absolute-value": AbsoluteValueConfig,
    "polysemantic-neuron": PolysemanticNeuronConfig,
    "recovery": RecoveryConfig,
    "absorption": AbsorptionConfig,
}
"""Kind of experiment -> its parameters, in the chapter's order."""
