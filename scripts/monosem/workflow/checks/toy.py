"""Checks of toy experiments: numbers that must fit together, one function per kind. No torch."""

from collections.abc import Callable, Iterator
from typing import Any

from scripts.monosem.sae import config as sae_config
from scripts.monosem.sae.architectures import foreign_keys, sparsity_knob
from scripts.monosem.workflow import outputs_toy
from scripts.monosem.workflow.checks.common import Check, Config

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


def _sparse_features(truth: Settings, where: str) -> Iterator[str]:
    """Directions must outnumber dimensions, and the most frequent feature must be one that can be off."""
    if truth["n"] <= truth["d"]:
        yield f"{where}.n: expected more features than the d = {truth['d']} dimensions, found {truth['n']}"
    weights = [truth["decay"] ** i for i in range(truth["n"])]
    most_frequent = truth["active"] / sum(weights)
    if most_frequent >= 1:
        yield (
            f"{where}.active: expected less than {sum(weights):.4g}, at which the first feature is always on "
            f"(n = {truth['n']}, decay = {truth['decay']}), found {truth['active']}"
        )


def _grid(architecture: str, grid: Settings, where: str) -> Iterator[str]:
    """The headline is one of the grid's settings, and k a whole number of the latents that there are."""
    headline = grid["headline"]
    for key, plural in (("value", "values"), ("width", "widths")):
        if headline[key] not in grid[plural]:
            choices = ", ".join(f"{choice:g}" for choice in grid[plural])
            yield f"{where}.headline.{key}: expected one of the {plural} ({choices}), found {headline[key]:g}"
    if sparsity_knob(architecture) == "k":
        for value in grid["values"]:
            if value != int(value) or value > min(grid["widths"]):
                yield (
                    f"{where}.values: expected whole numbers up to the smallest width ({min(grid['widths'])}), as k "
                    f"counts latents, found {value:g}"
                )


def _grid_saes(architecture: str, shared: Settings, grid: Settings, where: str) -> Iterator[str]:
    """Every SAE of a grid can be made: its architecture has the keys, the grid sets none of them, numbers fit."""
    inner, knob = f"{where}.grids.{architecture}", sparsity_knob(architecture)
    if "vectors" not in {**shared, **grid.get("sae", {})}:
        yield f"{inner}.sae.vectors is missing, and so it is under {where}.sae"
    for part, place in ((shared, f"{where}.sae"), (grid.get("sae", {}), f"{inner}.sae")):
        grids_own = [key for key in ("architecture", "d_sae", knob) if key in part]
        yield from (f"{place}.{key}: the grids set it, by their names, widths and values" for key in grids_own)
    foreign = [key for key in foreign_keys(architecture) if key in grid.get("sae", {})]
    yield from (f"{inner}.sae.{key}: the architecture {architecture} has none" for key in foreign)
    for width in grid["widths"]:
        for value in grid["values"]:
            value = int(value) if knob == "k" else value
            params = {**shared, **grid.get("sae", {}), "architecture": architecture, "d_sae": width, knob: value}
            try:
                sae_config.from_params(params)
            except ValueError as error:
                yield f"{inner}.sae: at width {width}, {error}"


def recovery(settings: Settings, where: str) -> Iterator[str]:
    """Autoencoders against known features."""
    for source, truth in settings["truth"].items():
        if source == "sparse_features":
            yield from _sparse_features(truth, f"{where}.truth.{source}")
            continue
        yield from more_features_than_dimensions(truth, f"{where}.truth.{source}")
        if len(truth["probabilities"]) != 1:
            yield f"{where}.truth.{source}.probabilities: expected one probability, found several"
    grids = {name: grid for name, grid in settings["grids"].items() if grid is not None}
    if not grids:
        yield f"{where}.grids: expected at least one architecture, found none"
    for architecture, grid in grids.items():
        yield from _grid(architecture, grid, f"{where}.grids.{architecture}")
        yield from _grid_saes(architecture, settings["sae"], grid, where)


def one_rate_per_level(settings: Settings, where: str) -> Iterator[str]:
    """As many learning rates as probabilities."""
    levels, rates = len(settings["probabilities"]), len(settings["learning_rates"])
    if levels != rates:
        yield f"{where}.learning_rates: expected one for each of the {levels} probabilities, found {rates}"


def absorption(settings: Settings, where: str) -> Iterator[str]:
    """A hierarchy without superposition, and autoencoders that know how sparse to be."""
    n = settings["parents"] * (1 + settings["children"])
    if settings["d"] < n:
        yield f"{where}.d: expected at least parents x (1 + children) = {n}, found {settings['d']}"
    for name, sae in settings["architectures"].items():
        merged, key = {"d_sae": n, **settings["sae"], **sae}, f"{where}.architectures.{name}"
        foreign = [other for other in foreign_keys(sae["architecture"]) if other in sae]
        yield from (f"{key}.{other}: the architecture {sae['architecture']} has none" for other in foreign)
        missing = [needed for needed in (sparsity_knob(sae["architecture"]), "vectors") if needed not in merged]
        yield from (f"{key}.{needed} is missing" for needed in missing)
        if merged.get("k", 1) > merged["d_sae"]:
            yield f"{key}.k: expected at most {merged['d_sae']} latents, found {merged['k']}"
        elif not missing:
            try:
                sae_config.from_params(merged)
            except ValueError as error:
                yield f"{key}: {error}"


BY_KIND: dict[str, Callable[[Settings, str], Iterator[str]]] = {
    "superposition": superposition,
    "phase-diagram": phase_diagram,
    "uniform-geometry": uniform_geometry,
    "non-uniform": non_uniform,
    "correlated": correlated,
    "dynamics": dynamics,
    "adversarial": more_features_than_dimensions,
    "privileged-basis": more_features_than_dimensions,
    "absolute-value": one_rate_per_level,
    "recovery": recovery,
    "absorption": absorption,
}


def problems(name: str, settings: Settings) -> Iterator[str]:
    """Sentences about the numbers of one experiment that do not fit together; none if all do."""
    if settings["kind"] in BY_KIND:
        yield from BY_KIND[settings["kind"]](settings, f"toy.{name}")


def experiments_fit(config: Config) -> Iterator[str]:
    """The numbers of every experiment fit together."""
    for name, settings in outputs_toy.experiments(config["toy"]).items():
        yield from problems(name, settings)


CHECKS: tuple[Check, ...] = (experiments_fit,)
