"""Models, sites and autoencoders that a configuration asks for, resolved while the workflow is parsed.

Imports neither torch nor transformers. Expects a configuration that `validate.check` has passed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scripts.monosem.models import source
from scripts.monosem.models.cost import disk_bytes
from scripts.monosem.models.model_folder import CONFIG, OPTIONS
from scripts.monosem.models.site_names import layer_of, parse
from scripts.monosem.workflow.checks import pretrained_saes

CHAPTER_3 = "chapters.language_model"
"""Stands for the model of chapter 3 wherever a configuration names a model."""
USES = ("sae", "interpretation", "scores", "analysis", "prompts", "interventions", "browser")
"""Sections with a `use` list."""
KINDS = ("train", "shuffle", "pretrained")
Config = dict[str, Any]
Place = tuple[str, str]
"""A model and a site of it."""


@dataclass(frozen=True)
class Plan:
    """Everything with a name that the rules build."""

    language_model: str
    """The model of chapter 3."""
    models: dict[str, str]
    """Model -> its kind (one of KINDS); only models that are used, each after the one it is made from."""
    sites: dict[Place, tuple[str, ...]]
    """(model, site) -> the runs trained there."""
    passes: dict[Place, tuple[str, ...]]
    """(model, site) -> the other sites that its extraction reads in the same pass; only where there are some."""
    interpreted: tuple[tuple[str, str, str], ...]
    """(model, site, run) of the autoencoders that are interpreted."""
    scored: dict[tuple[str, str, str], Place]
    """(model, site, run) of the autoencoders whose latents are scored -> model and site of the judge."""
    references: dict[Place, str]
    """(model, site) -> the run whose L0 the baselines get: the headline's run where it is trained, else the first."""
    controls: dict[Place, str]
    """(model, site) -> the shuffled model whose autoencoder of the reference run serves as control there."""
    neighbours: dict[Place, str]
    """(model, site) -> the site of the next layer with an autoencoder (of the last layer: of the one before)."""
    analysed: dict[str, tuple[str, ...]]
    """Model whose activations are analysed -> the models that it is compared with."""
    prompted: tuple[tuple[str, str, str], ...]
    """(model, site, run) of the autoencoders that read sets of prompts."""
    browsed: tuple[tuple[str, str, str], ...]
    """(model, site, run) of the autoencoders of the feature browser."""
    intervened: tuple[tuple[str, str, str], ...]
    """(model, site, run) of the autoencoders whose latents are changed while the model runs."""

    def of_kind(self, kind: str) -> list[str]:
        """Models of one kind."""
        return [model for model, its_kind in self.models.items() if its_kind == kind]

    def reader_of(self, model: str, site: str) -> str | None:
        """The site in whose pass another one is read; None for a site that is read by its own job."""
        return next((first for (its, first), others in self.passes.items() if its == model and site in others), None)


def kind_of(config: Config, model: str) -> str:
    """The way in which a model is made: one of KINDS."""
    return next(kind for kind in KINDS if kind in config["models"][model])


def pretrained_source(config: Config, model: str) -> Path | None:
    """Folder or GGUF file of a pretrained model; None if it is not on this machine."""
    return source.find(config["models"][model]["pretrained"])


def left_out(config: Config) -> Iterator[str]:
    """A sentence per candidate for chapter 3 that was not chosen although something is asked of it."""
    chosen, chapter = chapter_model(config), config["chapters"]["language_model"]
    for name in chapter["candidates"]:
        asked = [key for key in USES for use in config.get(key, {}).get("use", ()) if use["model"] == name != chosen]
        if asked:
            sections, here = ", ".join(dict.fromkeys(asked)), "" if is_here(config, name) else ", not on this machine"
            yield f"Chapter 3 is about '{chosen}': what {sections} ask of '{name}'{here}, is left out"


def is_here(config: Config, model: str) -> bool:
    """True if a model can be had on this machine: its files are here, or it is made in the run."""
    return kind_of(config, model) != "pretrained" or pretrained_source(config, model) is not None


def names_of(config: Config, model: str) -> tuple[str, ...]:
    """Aliases under which an SAE's cfg.json may name this model, its name in the configuration first."""
    if kind_of(config, model) != "pretrained":
        return (model,)
    settings, place = config["models"][model]["pretrained"], pretrained_source(config, model)
    declared = pretrained_config(place).get("_name_or_path") if place else None
    return tuple(name for name in (model, source.name_of(settings), declared) if name)


@cache
def _config_as_it_is(place: Path, _changed_ns: int) -> dict[str, Any]:
    return source.config_of(place)


def pretrained_config(place: Path) -> dict[str, Any]:
    """config.json of a pretrained model, read once as long as it is the same file."""
    path = place if place.is_file() else place / CONFIG
    return _config_as_it_is(place, path.stat().st_mtime_ns)


def model_settings(config: Config, model: str) -> dict[str, Any]:
    """Options stored in the linked model's config.json."""
    settings = config["models"][model]["pretrained"]
    chosen = {key: settings[key] for key in ("sites", "dtype") if key in settings}
    return {"attention_across_documents": settings.get("attention_across_documents", False), **chosen}


def device_of(config: Config, model: str) -> str:
    """The device of the jobs that compute on a model: its own, else that of the run."""
    return config["models"][model].get("pretrained", {}).get("device", config["device"])


def chapter_model(config: Config) -> str:
    """The model of chapter 3: `auto` means the first candidate that is on this machine, or the last one if none is."""
    chapter = config["chapters"]["language_model"]
    if chapter["model"] != "auto":
        return chapter["model"]
    return next((name for name in chapter["candidates"] if is_here(config, name)), chapter["candidates"][-1])


def uses(config: Config, section: str) -> list[tuple[int, Config]]:
    """Entries of a section's `use` list with their numbers, without those of candidates not chosen for chapter 3."""
    others = {*config["chapters"]["language_model"]["candidates"]} - {chapter_model(config)}
    entries = config.get(section, {}).get("use", ())
    return [(number, use) for number, use in enumerate(entries) if use["model"] not in others]


def resolve(config: Config, model: str) -> str:
    """A name in a `use` list -> the model: `chapters.language_model` is replaced."""
    return chapter_model(config) if model == CHAPTER_3 else model


def architecture(config: Config, model: str) -> dict[str, Any] | None:
    """config.json of a model, as far as its shape goes; None for a pretrained model that is not on this machine."""
    kind = kind_of(config, model)
    settings = config["models"][model][kind]
    if kind == "train":
        return settings["architecture"]
    if kind == "shuffle":
        return architecture(config, settings["of"])
    place = pretrained_source(config, model)
    return {**pretrained_config(place), OPTIONS: model_settings(config, model)} if place else None


def sites_of(use: Config) -> list[str]:
    """Sites of an entry of `sae.use`: one, or a list that shares a pass through the model."""
    return [use["site"]] if isinstance(use["site"], str) else list(use["site"])


def tokenizer_of(config: Config, model: str) -> str:
    """Name of the tokenizer: trained models share one, a pretrained model brings its own."""
    return model if kind_of(config, model) == "pretrained" else f"bpe-{config['tokenizer']['vocab_size']}"


def wanted_tokens(config: Config, model: str) -> int:
    """Tokens whose activations are stored for a model."""
    return config["activations"]["tokens"].get(model, config["activations"]["tokens"]["default"])


def disk_need_bytes(config: Config, plan: Plan) -> int:
    """Disk that the activations and the autoencoders of a run take, as far as the configuration says."""
    need = 0
    for (model, site), runs in plan.sites.items():
        d = parse(site, architecture(config, model))[2]
        need += disk_bytes(wanted_tokens(config, model), [d])
        need += sum(4 * (2 * d + 2) * pretrained_saes.d_sae(config["sae"]["runs"][run]) for run in runs)
    return need


def neighbours_of(sites: Iterable[Place]) -> dict[Place, str]:
    """For every (model, site) the same place of the next layer, of the last layer that of the one before it."""
    columns: dict[Place, dict[int, str]] = {}
    for model, site in sites:
        if place := layer_of(site):
            columns.setdefault((model, place[1]), {})[place[0]] = site
    neighbours = {}
    for (model, _), column in columns.items():
        layers = sorted(column)
        for here, other in zip(layers, [*layers[1:], *layers[-2:-1]], strict=False):
            neighbours[model, column[here]] = column[other]
    return neighbours


def _trained_sites(config: Config) -> tuple[dict[Place, tuple[str, ...]], dict[Place, tuple[str, ...]]]:
    """`Plan.sites` and `Plan.passes`."""
    sites: dict[Place, tuple[str, ...]] = {}
    passes: dict[Place, tuple[str, ...]] = {}
    for _, use in uses(config, "sae"):
        model, here = resolve(config, use["model"]), sites_of(use)
        new = [site for site in here if (model, site) not in sites]
        if len(new) > 1:
            passes[model, new[0]] = tuple(new[1:])
        for site in here:
            sites[model, site] = tuple(dict.fromkeys([*sites.get((model, site), ()), *use["runs"]]))
    return sites, passes


def _used_models(config: Config, names: Iterable[str]) -> dict[str, str]:
    """Model -> its kind, each after the one it is made from."""
    models: dict[str, str] = {}
    for model in dict.fromkeys(names):
        if kind_of(config, model) == "shuffle":
            source = config["models"][model]["shuffle"]["of"]
            models[source] = kind_of(config, source)
        models[model] = kind_of(config, model)
    return models


def _controls(config: Config, sites: dict[Place, tuple[str, ...]], references: dict[Place, str]) -> dict[Place, str]:
    """(model, site) -> the shuffled model that has an autoencoder of the reference run there."""
    controls = {}
    for model, site in sites:
        if kind_of(config, model) == "shuffle":
            place = (config["models"][model]["shuffle"]["of"], site)
            if references.get(place) in sites[model, site]:
                controls[place] = model
    return controls


def _autoencoders(config: Config, section: str) -> tuple[tuple[str, str, str], ...]:
    """(model, site, run) of the autoencoders that a section uses."""
    entries = uses(config, section)
    return tuple(dict.fromkeys((resolve(config, use["model"]), use["site"], use["run"]) for _, use in entries))


def _browsed(config: Config) -> tuple[tuple[str, str, str], ...]:
    """(model, site, run) of the feature browser, whose entries have a list of runs."""
    places = [
        (resolve(config, use["model"]), use["site"], run) for _, use in uses(config, "browser") for run in use["runs"]
    ]
    return tuple(dict.fromkeys(places))


def make_plan(config: Config) -> Plan:
    """Resolve names and collect what is used."""
    language_model, (sites, passes) = chapter_model(config), _trained_sites(config)
    analysed = {
        resolve(config, use["model"]): tuple(resolve(config, other) for other in use.get("against", ()))
        for _, use in uses(config, "analysis")
    }
    compared = [model for pair in analysed.items() for model in (pair[0], *pair[1])]
    entries = config.get("interventions", {}).get("named") or {}
    pinned = [resolve(config, entry["model"]) for entry in entries.values() if entry is not None]
    chapter = config["chapters"]["one_layer"].values()
    headline = config["evaluation"]["headline"]["run"]
    scored = {
        (resolve(config, use["model"]), use["site"], use["run"]): (
            resolve(config, use["judge"]["model"]), use["judge"]["site"],
        )
        for _, use in uses(config, "scores")
    }  # fmt: skip
    judges = [model for model, _ in scored.values()]
    references = {place: headline if headline in runs else runs[0] for place, runs in sites.items()}
    return Plan(
        language_model=language_model,
        models=_used_models(
            config, [*(model for model, _ in sites), *chapter, language_model, *compared, *pinned, *judges]
        ),
        sites=sites,
        passes=passes,
        interpreted=_autoencoders(config, "interpretation"),
        scored=scored,
        references=references,
        controls=_controls(config, sites, references),
        neighbours=neighbours_of(sites),
        analysed=analysed,
        browsed=_browsed(config),
        prompted=_autoencoders(config, "prompts"),
        intervened=_autoencoders(config, "interventions"),
    )
