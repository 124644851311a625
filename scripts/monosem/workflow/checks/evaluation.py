"""Rules about what is measured: analyses, sets of prompts, interventions, the headline, interpretation."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.monosem.models import source
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.models.model_folder import TOKENIZER
from scripts.monosem.text import natural_rules
from scripts.monosem.workflow import outputs_dictionaries, plan
from scripts.monosem.workflow.checks import interventions, text_files
from scripts.monosem.workflow.checks.common import Check, Config, model_exists, model_is_here, sae_exists, site_exists


def used_models_exist(config: Config) -> Iterator[str]:
    """Models of the analysis, of named interventions and of judges are configured."""
    for number, use in plan.uses(config, "analysis"):
        yield from model_exists(config, use["model"], f"analysis.use[{number}].model")
        for name in use.get("against", ()):
            yield from model_exists(config, name, f"analysis.use[{number}].against")
    for number, use in plan.uses(config, "scores"):
        yield from model_exists(config, use["judge"]["model"], f"scores.use[{number}].judge.model")
    for name, entry in config["interventions"].get("named", {}).items():
        if entry is not None:
            yield from model_exists(config, entry["model"], f"interventions.named.{name}.model")


def tokens_are_scored(config: Config) -> Iterator[str]:
    """A window has a token that is kept and is followed by another."""
    context = config["activations"]["context"]
    if config["activations"]["drop_first_position"] and context < 3:
        yield f"activations.context: expected at least 3 where the first position is dropped, found {context}"


def analysed_models_are_alike(config: Config) -> Iterator[str]:
    """Models that are compared are on this machine and share depth, tokenizer and the sites that are looked at."""
    for number, use in plan.uses(config, "analysis"):
        where = f"analysis.use[{number}]"
        model = plan.resolve(config, use["model"])
        yield from site_exists(config, model, "blocks.0.hook_resid_pre", where)
        for name in use.get("against", ()):
            other = plan.resolve(config, name)
            yield from site_exists(config, other, "blocks.0.hook_resid_pre", f"{where}.against")
            here, there = (depth_of(config, each) for each in (model, other))
            if here != there:
                yield f"{where}.against: expected a model with the n_layer of '{model}' ({here}), '{other}' has {there}"
            yield from tokenizers_agree(config, model, other, f"{where}.against")
            for site in (site for _, use in plan.uses(config, "sae") if plan.resolve(config, use["model"]) == model
                         for site in plan.sites_of(use)):  # fmt: skip
                yield from site_exists(config, other, site, f"{where}.against")


def depth_of(config: Config, model: str) -> int:
    """Number of blocks of a model of a known family."""
    shape = plan.architecture(config, model)
    return shape_of(shape, family_of(shape)).n_layer


@cache
def _tokens_of(place: Path, _changed_ns: int) -> dict[int, str]:
    return source.tokens_of(place)


def tokenizers_agree(config: Config, model: str, other: str, where: str) -> Iterator[str]:
    """Both models have the same tokens by id: trained ones share a tokenizer, pretrained ones are compared."""
    if plan.tokenizer_of(config, model) == plan.tokenizer_of(config, other):
        return
    if {plan.kind_of(config, each) for each in (model, other)} != {"pretrained"}:
        yield f"{where}: expected a model with the tokenizer of '{model}', '{other}' has another"
        return
    places = [plan.pretrained_source(config, each) for each in (model, other)]
    files = [place if place.is_file() else place / TOKENIZER for place in places]
    here, there = (_tokens_of(place, file.stat().st_mtime_ns) for place, file in zip(places, files, strict=True))
    differing = next((number for number in sorted(here.keys() & there.keys()) if here[number] != there[number]), None)
    if differing is not None:
        yield (
            f"{where}: expected a model with the tokenizer of '{model}', in which token {differing} is "
            f"{here[differing]!r}; in '{other}' it is {there[differing]!r}"
        )


def words_are_groups(config: Config) -> Iterator[str]:
    """The file of words is there and in form."""
    yield from text_files.words(config["analysis"]["words"])


def prompts_are_sets(config: Config) -> Iterator[str]:
    """Autoencoders that read prompts are trained, and the files of prompts are there and in form."""
    for number, use in plan.uses(config, "prompts"):
        yield from sae_exists(config, use, f"prompts.use[{number}]")
    sets = {name: path for name, path in config["prompts"]["sets"].items() if path is not None}
    yield from text_files.prompts(sets, config["prompts"]["baseline"])


def pinned_latents_are_interpreted(config: Config) -> Iterator[str]:
    """Autoencoders whose latents of contexts are pinned are interpreted, which finds those latents."""
    places = [(use["model"], use["site"], use["run"]) for _, use in plan.uses(config, "interpretation")]
    for number, use in plan.uses(config, "interventions"):
        where = f"interventions.use[{number}]"
        yield from sae_exists(config, use, where)
        if (use["model"], use["site"], use["run"]) not in places:
            yield (
                f"{where}: expected an autoencoder of interpretation.use, which finds the latents that are pinned; "
                f"found '{use['run']}' on '{use['model']}' at {use['site']}"
            )


def named_interventions_can_be_done(config: Config) -> Iterator[str]:
    """Site and unit of an intervention exist, and the model reads or writes something meanwhile."""
    for name, entry in config["interventions"].get("named", {}).items():
        where = f"interventions.named.{name}"
        if entry is None:
            continue
        if "run" in entry:
            yield from sae_exists(config, entry, where)
        else:
            yield from site_exists(config, plan.resolve(config, entry["model"]), entry["site"], where)
        yield from interventions.problems(config, name)


def headline_is_trained(config: Config) -> Iterator[str]:
    """The report is about an autoencoder that is trained, on a model that does not depend on the machine."""
    headline = config["evaluation"]["headline"]
    if headline["model"] == plan.CHAPTER_3:
        yield f"evaluation.headline.model: expected a name under models, found '{plan.CHAPTER_3}'"
    yield from sae_exists(config, headline, "evaluation.headline")


def interpreted_saes_are_trained(config: Config) -> Iterator[str]:
    """Autoencoders that are interpreted are trained."""
    for number, use in plan.uses(config, "interpretation"):
        yield from sae_exists(config, use, f"interpretation.use[{number}]")


def dictionaries_can_be_compared(config: Config) -> Iterator[str]:
    """Narrower dictionaries are trained at the headline's site, and the second seed has the headline's tokens."""
    headline = config["evaluation"]["headline"]
    for number, run in enumerate(config["dictionaries"]["narrower"]):
        where = f"dictionaries.narrower[{number}]"
        for sentence in sae_exists(config, {**headline, "run": run}, where):
            yield sentence.replace(f"{where}.run", where)
        if run == headline["run"]:
            yield f"{where}: expected another run than that of evaluation.headline, found '{run}'"
    for role, name in outputs_dictionaries.others(config).items():
        yield from tokenizers_agree(config, headline["model"], name, f"chapters.one_layer.{role}")


def browsed_saes_are_trained(config: Config) -> Iterator[str]:
    """Autoencoders of the feature browser are trained."""
    for number, use in plan.uses(config, "browser"):
        for run in use["runs"]:
            yield from sae_exists(config, {**use, "run": run}, f"browser.use[{number}]")


def named_latents_exist(config: Config) -> Iterator[str]:
    """Latents that get a page are of trained autoencoders, and no page has the name of another."""
    for name, entry in (config["interpretation"].get("named") or {}).items():
        where = f"interpretation.named.{name}"
        if entry is None:
            continue
        yield from sae_exists(config, entry, where)
        width = config["sae"]["runs"][entry["run"]].get("d_sae")
        if width is not None and entry["latent"] >= width:
            run, latent = entry["run"], entry["latent"]
            yield f"{where}.latent: expected a number below {width}, the d_sae of '{run}', found {latent}"
        if name in (*config["corpus"]["planted"]["contexts"], *natural_rules.CONTEXTS):
            yield f"{where}: expected a name that no context has, found '{name}'"


def scored_saes_are_trained(config: Config) -> Iterator[str]:
    """Autoencoders that are scored are trained, and the judge reads the same tokens."""
    for number, use in plan.uses(config, "scores"):
        where = f"scores.use[{number}]"
        yield from sae_exists(config, use, where)
        model, judge = (plan.resolve(config, name) for name in (use["model"], use["judge"]["model"]))
        yield from site_exists(config, judge, use["judge"]["site"], f"{where}.judge")
        yield from tokenizers_agree(config, model, judge, f"{where}.judge.model")


def models_in_use_are_here(config: Config) -> Iterator[str]:
    """Models that only a chapter names are on this machine, too."""
    for model in plan.make_plan(config).models:
        yield from model_is_here(config, model)


CHECKS: tuple[Check, ...] = (
    tokens_are_scored,
    used_models_exist,
    headline_is_trained,
    dictionaries_can_be_compared,
    interpreted_saes_are_trained,
    browsed_saes_are_trained,
    scored_saes_are_trained,
    named_latents_exist,
    analysed_models_are_alike,
    words_are_groups,
    prompts_are_sets,
    pinned_latents_are_interpreted,
    named_interventions_can_be_done,
    models_in_use_are_here,
)
