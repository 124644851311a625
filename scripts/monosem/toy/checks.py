"""What a schema cannot say about a toy experiment: numbers that must fit together, one function per kind. No torch."""

from collections.abc import Callable, Iterator
from typing import Any

Settings = dict[str, Any]


def more_features_than_dimensions(settings: Settings, where: str) -> Iterator[str]:
    """Without n > m nothing has to share a dimension."""
    if settings["n"] <= settings["m"]:
        yield (
            f"{where}.n: expected more features than the m = {settings['m']} hidden dimensions, found {settings['n']}"
        )


def ascending(settings: Settings, where: str) -> Iterator[str]:
    """A range goes upwards."""
    if settings["low"] >= settings["high"]:
        yield f"{where}.high: expected more than low = {settings['low']}, found {settings['high']}"


def phase_diagram(settings: Settings, where: str) -> Iterator[str]:
    """A grid of importance and probability."""
    for axis in ("importances", "probabilities"):
        yield from ascending(settings[axis], f"{where}.{axis}")
    if settings["probabilities"]["high"] > 1:
        yield f"{where}.probabilities.high: expected at most 1, found {settings['probabilities']['high']}"


def superposition(settings: Settings, where: str) -> Iterator[str]:
    """A stack of models over levels of sparsity."""
    yield from more_features_than_dimensions(settings, where)


def recovery(settings: Settings, where: str) -> Iterator[str]:
    """Autoencoders on one toy model."""
    yield from more_features_than_dimensions(settings["model"], f"{where}.model")
    if len(settings["model"]["probabilities"]) != 1:
        yield f"{where}.model.probabilities: expected one probability, found several"
    for k in settings["ks"]:
        if k > settings["sae"]["d_sae"]:
            yield f"{where}.ks: expected at most sae.d_sae = {settings['sae']['d_sae']}, found {k}"


CHECKS: dict[str, Callable[[Settings, str], Iterator[str]]] = {
    "superposition": superposition,
    "phase-diagram": phase_diagram,
    "recovery": recovery,
}


def problems(name: str, settings: Settings) -> Iterator[str]:
    """Sentences about what does not fit in one entry of `toy`; none if all does."""
    if settings["kind"] in CHECKS:
        yield from CHECKS[settings["kind"]](settings, f"toy.{name}")
