"""The section `sae` of a configuration: runs, sweeps over them, and where they are trained."""

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import MinLen

from scripts.monosem.core.declaration import (
    UNIQUE,
    Count,
    Name,
    PartOf,
    Positive,
    Text,
    Whole,
)
from scripts.monosem.sae.config import SaeConfig


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The seed of a run."""

    seed: Whole
    """Of the weights and the order of the data; the configuration's if not given."""


@dataclass(frozen=True, kw_only=True)
class PretrainedSae:
    """An autoencoder of SAELens, dictionary_learning or sparsify that is on this machine."""

    name: Text
    """A folder or the name of a repository in the hub cache."""
    subfolder: Text | None = None
    """Where in it the files are."""
    revision: Text | None = None
    """Commit or tag of the hub; without it, the newest snapshot here."""
    hook_name: str | None = None
    """Where it reads, if its files don't say so under TransformerLens' name."""
    model_name: str | None = None
    """The model it was trained on, if its files don't say or use another name."""
    centred: bool | None = None
    """True if it was trained on a residual stream of mean zero (TransformerLens' center_writing_weights)."""
    norm_scaling_factor: Positive | None = None
    """Of the release, where cfg.json says expected_average_only_in."""


@dataclass(frozen=True, kw_only=True)
class RunOnly:
    """Keys of a run beside those of its training."""

    threads: Count
    """Of this job; threads.autoencoders if not given."""
    pretrained: PretrainedSae
    """In place of everything else: an autoencoder of SAELens, dictionary_learning or sparsify."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Runs that differ in one thing and in their seed."""

    base: Annotated[dict[str, Any], PartOf(SaeConfig, Seed, required=("architecture", "d_sae", "vectors"))]
    """Parameters that all runs have in common."""
    variants: dict[Name, Annotated[dict[str, Any], PartOf(SaeConfig, Seed)] | None]
    """Overrides by name; the others are compared with the first."""
    seeds: Annotated[tuple[Whole, ...], MinLen(1), UNIQUE]
    """One run of every variant each."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """Runs that are trained at one site."""

    model: str
    """A name under models; or chapters.language_model."""
    site: str | Annotated[tuple[str, ...], MinLen(1), UNIQUE]
    """A TransformerLens hook name, e.g. blocks.0.mlp.hook_post; or a list, read in one pass."""
    runs: Annotated[tuple[str, ...], MinLen(1), UNIQUE]
    """Names under sae.runs."""
    sweeps: Annotated[tuple[str, ...], UNIQUE] = ()
    """Names under sae.sweeps."""


@dataclass(frozen=True, kw_only=True)
class Autoencoders:
    """Sparse autoencoders."""

    defaults: Annotated[dict[str, Any], PartOf(SaeConfig, Seed)]
    """Parameters of every run that does not set its own."""
    runs: dict[Name, Annotated[dict[str, Any], PartOf(SaeConfig, Seed, RunOnly)]]
    """Autoencoders by name, trained here (architecture, d_sae and vectors at least) or elsewhere."""
    sweeps: dict[Name, Sweep | None] | None = None
    """Runs that differ in one thing and in their seed; null leaves a sweep out."""
    use: Annotated[tuple[Use, ...], MinLen(1)]
    """Where runs are trained."""
