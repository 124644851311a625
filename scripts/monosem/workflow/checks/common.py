"""A check takes a configuration that its schema has passed and yields a sentence per mistake; the first one stops."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import cost, site_names, source
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.workflow import plan

Config = dict[str, Any]
Check = Callable[[Config], Iterator[str]]


class ConfigError(ValueError):
    """The configuration cannot be run; the text is one sentence with the key's path and what to write there."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence.replace("\n", "\\n"))  # of a value that has several lines


def exists(known: Iterable[str], name: str, where: str, what: str) -> Iterator[str]:
    """`name` must be one of the `known`."""
    known = list(known)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(known) or 'none'}"
        yield f"{where}: {what} '{name}' does not exist; {hint}"


def model_exists(config: Config, name: str, where: str) -> Iterator[str]:
    """A model in a `use` list must be configured; `chapters.language_model` stands for the model of chapter 3."""
    yield from exists([plan.CHAPTER_3, *config["models"]], name, where, "the model")


def model_is_here(config: Config, model: str) -> Iterator[str]:
    """A pretrained model must be on this machine, its config.json or header readable."""
    if plan.kind_of(config, model) == "pretrained":
        try:
            source.config_of(source.require(config["models"][model]["pretrained"], f"models.{model}.pretrained"))
        except ArtefactError as error:
            yield str(error)


def site_exists(config: Config, model: str, site: str, where: str) -> Iterator[str]:
    """The model must be on this machine and have the site, long enough windows, and a size that fits into memory."""
    yield from model_is_here(config, model)
    shape = plan.architecture(config, model)
    try:
        layer = site_names.parse(site, shape)[0]
    except ValueError as error:
        yield f"{where}.site: for the model '{model}', {error}"
    family = family_of(shape)
    if family is None:
        return
    context, longest = config["activations"]["context"], shape_of(shape, family).n_positions
    if context > longest:
        yield f"activations.context: expected at most {longest}, the n_positions of '{model}', found {context}"
    if plan.kind_of(config, model) == "pretrained":
        dtype = config["models"][model]["pretrained"].get("dtype", "float32")
        try:
            cost.require_memory(shape, dtype, layer, f"extracting {site} of '{model}' in {dtype}")
        except ArtefactError as error:
            yield f"{where}: {error}"


def sae_exists(config: Config, use: dict[str, str], where: str) -> Iterator[str]:
    """(model, site, run) must be among those that `sae.use` trains."""
    places = plan.make_plan(config).sites
    model, site = plan.resolve(config, use["model"]), use["site"]
    yield from exists(dict.fromkeys(name for name, _ in places), model, f"{where}.model", "under sae.use, the model")
    here = [other for name, other in places if name == model]
    yield from exists(here, site, f"{where}.site", f"under sae.use for '{model}', the site")
    what = f"under sae.use for '{model}' at {site}, the run"
    yield from exists(places[model, site], use["run"], f"{where}.run", what)
