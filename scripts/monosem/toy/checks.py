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


def uniform_geometry(settings: Settings, where: str) -> Iterator[str]:
    """Levels of 1/p."""
    yield from more_features_than_dimensions(settings, where)
    yield from ascending(settings["inverse_probabilities"], f"{where}.inverse_probabilities")
    if settings["inverse_probabilities"]["low"] < 1:
        low = settings["inverse_probabilities"]["low"]
        yield f"{where}.inverse_probabilities.low: expected at least 1, for it is 1/p, found {low}"


def non_uniform(settings: Settings, where: str) -> Iterator[str]:
    """Ratios that leave a probability."""
    yield from ascending(settings["ratios"], f"{where}.ratios")
    highest = settings["probability"] * settings["ratios"]["high"]
    if highest > 1:
        yield f"{where}.ratios.high: expected a ratio that leaves a probability, found {highest:g} with it"
    if len(settings["points"]) > 5:
        yield f"{where}.points: expected 5 entries, one per number of active features, found {len(settings['points'])}"


def correlated(settings: Settings, where: str) -> Iterator[str]:
    """Large sets that have to share dimensions."""
    bases = settings["bases"]
    n = bases["sets"] * bases["size"]
    yield from more_features_than_dimensions({"n": n, "m": bases["m"]}, f"{where}.bases")


def dynamics(settings: Settings, where: str) -> Iterator[str]:
    """The uniform model."""
    yield from more_features_than_dimensions(settings["levels"], f"{where}.levels")


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
    "uniform-geometry": uniform_geometry,
    "non-uniform": non_uniform,
    "correlated": correlated,
    "dynamics": dynamics,
    "recovery": recovery,
}


def problems(name: str, settings: Settings) -> Iterator[str]:
    """Sentences about what does not fit in one entry of `toy`; none if all does."""
    if settings["kind"] in CHECKS:
        yield from CHECKS[settings["kind"]](settings, f"toy.{name}")
