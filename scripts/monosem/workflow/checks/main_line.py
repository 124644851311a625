"""What a schema cannot say about a configuration: names that must exist and numbers that must fit together."""

import difflib
import math
from collections.abc import Iterable
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import cost, model_folder, site_names
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.sae.architectures import ARCHITECTURES, foreign_keys, missing_key
from scripts.monosem.workflow import outputs_toy, plan, sweeps
from scripts.monosem.workflow.checks import interventions, pretrained_saes, toy
from scripts.monosem.workflow.checks import text_files as analysis_checks

Config = dict[str, Any]


class ConfigError(ValueError):
    """The configuration cannot be run; the text is one sentence with the key's path and what to write there."""


def _expect(known: Iterable[str], name: str, where: str, what: str) -> None:
    """`name` must be one of the `known`."""
    known = list(known)
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(known) or 'none'}"
    raise ConfigError(f"{where}: {what} '{name}' does not exist; {hint}")


def _models(config: Config) -> None:
    models = config["models"]
    for name, model in models.items():
        where = f"models.{name}"
        if "train" in model:
            shape = model["train"]["architecture"]
            if shape["n_embd"] % shape["n_head"]:
                raise ConfigError(
                    f"{where}.train.architecture.n_head: expected a divisor of n_embd ({shape['n_embd']}), "
                    f"found {shape['n_head']}"
                )
            step = model["train"]["batch_size"] * shape["n_positions"]
            if model["train"]["tokens"] < step:
                raise ConfigError(
                    f"{where}.train.tokens: expected at least one step of batch_size x n_positions = {step} tokens, "
                    f"found {model['train']['tokens']}"
                )
        if "shuffle" in model:
            trained = [key for key, other in models.items() if "train" in other]
            _expect(trained, model["shuffle"]["of"], f"{where}.shuffle.of", "the trained model")


def _chapters(config: Config) -> None:
    models, chapters = config["models"], config["chapters"]
    for role, name in chapters["one_layer"].items():
        _expect(models, name, f"chapters.one_layer.{role}", "the model")
    chapter = chapters["gpt2"]
    for role in ("pretrained", "stand_in"):
        _expect(models, chapter[role], f"chapters.gpt2.{role}", "the model")
    if "pretrained" not in models[chapter["pretrained"]]:
        raise ConfigError(f"chapters.gpt2.pretrained: expected a pretrained model, found '{chapter['pretrained']}'")
    if chapter["model"] != "auto":
        _expect(["auto", *models], chapter["model"], "chapters.gpt2.model", "the model")
    control = chapters["one_layer"].get("control")
    if control and "shuffle" not in models[control]:
        raise ConfigError(f"chapters.one_layer.control: expected a model of kind shuffle, found '{control}'")


def _tokens(config: Config) -> None:
    for name in config["activations"]["tokens"]:
        _expect(["default", *config["models"]], name, f"activations.tokens.{name}", "the model")
    for name in config["evaluation"].get("tokens_of", {}):
        _expect(config["models"], name, f"evaluation.tokens_of.{name}", "the model")


def _site(config: Config, model: str, site: str, where: str) -> None:
    """The model must have the site, windows of the configured length, and weights on this machine."""
    shape = plan.architecture(config, model)
    if shape is None:
        name = config["models"][model]["pretrained"]["name"]
        raise ConfigError(
            f"models.{model}.pretrained.name: '{name}' is neither a folder with {model_folder.NEEDED} nor in the hub "
            f"cache of this machine; `python -m scripts.fetch_model {name}` fetches it where there is a network"
        )
    try:
        layer = site_names.parse(site, shape)[0]
    except ValueError as error:
        raise ConfigError(f"{where}.site: for the model '{model}', {error}") from None
    family = family_of(shape)
    if family is None:
        return
    context, longest = config["activations"]["context"], shape_of(shape, family).n_positions
    if context > longest:
        raise ConfigError(
            f"activations.context: expected at most {longest}, the n_positions of '{model}', found {context}"
        )

    if plan.kind_of(config, model) == "pretrained":
        dtype = config["models"][model]["pretrained"].get("dtype", "float32")
        try:
            cost.require_memory(shape, dtype, layer, f"extracting {site} of '{model}' in {dtype}")
        except ArtefactError as error:
            raise ConfigError(f"{where}: {error}") from None


def _runs(config: Config) -> None:
    for name, run in config["sae"]["runs"].items():
        where, merged = f"sae.runs.{name}", {**config["sae"]["defaults"], **run}
        if pretrained_saes.is_pretrained(run):
            if others := [key for key in run if key != "pretrained"]:
                raise ConfigError(f"{where}.{others[0]}: a pretrained autoencoder has no parameters of training")
            continue
        for key in ("architecture", "d_sae", "vectors"):
            if key not in run:
                raise ConfigError(f"{where}.{key} is missing")
        architecture = merged["architecture"]
        if needed := missing_key(architecture, merged):
            raise ConfigError(f"{where}.{needed} is missing: the architecture {architecture} needs it")
        for key in foreign_keys(architecture):
            if key in run:
                raise ConfigError(f"{where}.{key}: the architecture {architecture} has none")
        if merged.get("k", 0) > merged["d_sae"] and "k" in ARCHITECTURES[architecture].required:
            raise ConfigError(f"{where}.k: expected at most d_sae = {merged['d_sae']}, found {merged['k']}")
        if merged.get("start_l0", 0) > merged["d_sae"] and "start_l0" in ARCHITECTURES[architecture].keys:
            start = merged["start_l0"]
            raise ConfigError(f"{where}.start_l0: expected at most d_sae = {merged['d_sae']}, found {start}")
        prefixes = merged.get("prefixes", [merged["d_sae"]])
        if prefixes != sorted({*prefixes}) or prefixes[-1] != merged["d_sae"]:
            raise ConfigError(
                f"{where}.prefixes: expected numbers that rise to d_sae = {merged['d_sae']}, found {prefixes}"
            )
        if merged["vectors"] < merged["batch_size"]:
            raise ConfigError(
                f"{where}.vectors: expected at least one batch of {merged['batch_size']}, found {merged['vectors']}"
            )


def _pretrained(config: Config, name: str, model: str, site: str) -> None:
    """A run that was trained elsewhere must be on this machine and belong to the model and site."""
    run = config["sae"]["runs"][name]
    try:
        if pretrained_saes.is_pretrained(run):
            shape = plan.architecture(config, model)
            pretrained_saes.check(run, f"sae.runs.{name}", plan.names_of(config, model), shape, site)
    except (ValueError, ArtefactError) as error:
        raise ConfigError(str(error)) from None


def _uses(config: Config) -> None:
    names = [plan.CHAPTER_GPT2, *config["models"]]
    for number, use in enumerate(config["sae"]["use"]):
        where = f"sae.use[{number}]"
        _expect(names, use["model"], f"{where}.model", "the model")
        for run in use["runs"]:
            _expect(config["sae"]["runs"], run, f"{where}.runs", "the run")
        for sweep in use.get("sweeps", []):
            _expect(sweeps.stated(config), sweep, f"{where}.sweeps", "the sweep")
        model = plan.resolve(config, use["model"])
        for site in plan.sites_of(use):
            _site(config, model, site, where)
            for run in use["runs"]:
                _pretrained(config, run, model, site)


def _trained(config: Config, use: dict[str, str], where: str) -> None:
    """(model, site, run) must be among those that `sae.use` trains."""
    places = plan.make_plan(config).sites
    model = plan.resolve(config, use["model"])
    _expect(dict.fromkeys(place[0] for place in places), model, f"{where}.model", "under sae.use, the model")
    here = [site for other, site in places if other == model]
    _expect(here, use["site"], f"{where}.site", f"under sae.use for '{model}', the site")
    what = f"under sae.use for '{model}' at {use['site']}, the run"
    _expect(places[model, use["site"]], use["run"], f"{where}.run", what)


def _analysis(config: Config) -> None:
    names = [plan.CHAPTER_GPT2, *config["models"]]
    for number, use in enumerate(config["analysis"]["use"]):
        where = f"analysis.use[{number}]"
        _expect(names, use["model"], f"{where}.model", "the model")
        model = plan.resolve(config, use["model"])
        _site(config, model, "blocks.0.hook_resid_pre", where)
        for other in use.get("against", ()):
            _expect(names, other, f"{where}.against", "the model")
            other = plan.resolve(config, other)
            for key in ("n_layer", "tokenizer"):
                here, there = (
                    plan.tokenizer_of(config, name) if key == "tokenizer" else plan.architecture(config, name)[key]
                    for name in (model, other)
                )
                if here != there:
                    raise ConfigError(
                        f"{where}.against: expected a model with the {key} of '{model}' ({here}), '{other}' has {there}"
                    )
    for problem in analysis_checks.words(config["analysis"]["words"]):
        raise ConfigError(problem)


def _prompts(config: Config) -> None:
    for number, use in enumerate(config["prompts"]["use"]):
        _trained(config, use, f"prompts.use[{number}]")
    sets = {name: path for name, path in config["prompts"]["sets"].items() if path is not None}
    for problem in analysis_checks.prompts(sets, config["prompts"]["baseline"]):
        raise ConfigError(problem)


def _interventions(config: Config) -> None:
    read = [(use["model"], use["site"], use["run"]) for use in config["interpretation"]["use"]]
    for number, use in enumerate(config["interventions"]["use"]):
        where = f"interventions.use[{number}]"
        _trained(config, use, where)
        if (use["model"], use["site"], use["run"]) not in read:
            raise ConfigError(
                f"{where}: expected an autoencoder of interpretation.use, which finds the latents that are held; "
                f"found '{use['run']}' on '{use['model']}' at {use['site']}"
            )
    for name, entry in (config["interventions"].get("named") or {}).items():
        where = f"interventions.named.{name}"
        if entry is None:
            continue
        if "run" in entry:
            _trained(config, entry, where)
        else:
            _expect([plan.CHAPTER_GPT2, *config["models"]], entry["model"], f"{where}.model", "the model")
            _site(config, plan.resolve(config, entry["model"]), entry["site"], where)
        if problem := interventions.problem(config, name):
            raise ConfigError(problem)


def _toy(config: Config) -> None:
    for name, settings in outputs_toy.experiments(config["toy"]).items():
        for problem in toy.problems(name, settings):
            raise ConfigError(problem)


def _corpus(config: Config) -> None:
    total = math.fsum(config["corpus"]["split"].values())
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        raise ConfigError(f"corpus.split: expected shares that add up to 1, found {total:g}")
    if config["corpus"]["min_characters"] >= config["corpus"]["max_characters"]:
        raise ConfigError("corpus.min_characters: expected less than max_characters, found no less")


def check(config: Config) -> None:
    """Raise ConfigError about the first thing that does not fit. Expects a configuration that its schema has passed."""
    for step in (_corpus, _models, _chapters, _tokens, _runs, _uses, _analysis, _prompts, _interventions, _toy):
        step(config)
    if config["evaluation"]["headline"]["model"] == plan.CHAPTER_GPT2:
        raise ConfigError(f"evaluation.headline.model: expected a name under models, found '{plan.CHAPTER_GPT2}'")
    _trained(config, config["evaluation"]["headline"], "evaluation.headline")
    for number, use in enumerate(config["interpretation"]["use"]):
        _trained(config, use, f"interpretation.use[{number}]")
