"""Frozen dataclasses of every kind of field that a configuration has."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Len, MinLen

from scripts.monosem.core.declaration import UNIQUE, Name, PartOf


@dataclass(frozen=True)
class Levels:
    """A range."""

    low: Annotated[float, Gt(0)]
    """The
    first."""
    levels: Annotated[int, Interval(ge=2, lt=10)] = 3


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    With more to say.
    """

    grid: Levels
    """Values."""
    points: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1), UNIQUE]
    design: Literal["full", "cross"] = "full"
    window: Levels | None = None
    """Where."""
    site: str | tuple[str, ...] = "all"
    named: Annotated[dict[Name, Levels | None], Len(1, 2)] | None = None
    """Others."""


@dataclass(frozen=True)
class Job:
    """With a seed of its own."""

    seed: int
    """Of the weights."""
    sae: Annotated[dict[str, Any], PartOf(Levels, Experiment, required=["low"])]
    """Some keys."""
