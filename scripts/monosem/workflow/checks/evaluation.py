"""Rules about what is measured: analyses, sets of prompts, interventions, the headline, interpretation."""

from collections.abc import Iterator

from scripts.monosem.workflow import plan
from scripts.monosem.workflow.checks import interventions, text_files
from scripts.monosem.workflow.checks.common import Check, Config, model_exists, model_is_here, sae_exists, site_exists


def used_models_exist(config: Config) -> Iterator[str]:
    """Models of the analysis and of named interventions are configured."""
    for number, use in enumerate(config["analysis"]["use"]):
        yield from model_exists(config, use["model"], f"analysis.use[{number}].model")
        for name in use.get("against", ()):
            yield from model_exists(config, name, f"analysis.use[{number}].against")
    for name, entry in config["interventions"].get("named", {}).items():
        if entry is not None:
            yield from model_exists(config, entry["model"], f"interventions.named.{name}.model")


def analysed_models_are_alike(config: Config) -> Iterator[str]:
    """Models that are compared share depth and tokenizer."""
    for number, use in enumerate(config["analysis"]["use"]):
        where = f"analysis.use[{number}]"
        model = plan.resolve(config, use["model"])
        yield from site_exists(config, model, "blocks.0.hook_resid_pre", where)
        for name in use.get("against", ()):
            other = plan.resolve(config, name)
            for key in ("n_layer", "tokenizer"):
                here, there = (
                    plan.tokenizer_of(config, each) if key == "tokenizer" else plan.architecture(config, each)[key]
                    for each in (model, other)
                )
                if here != there:
                    yield (
                        f"{where}.against: expected a model with the {key} of '{model}' ({here}), '{other}' has {there}"
                    )


def words_are_groups(config: Config) -> Iterator[str]:
    """The file of words is there and in form."""
    yield from text_files.words(config["analysis"]["words"])


def prompts_are_sets(config: Config) -> Iterator[str]:
    """Autoencoders that read prompts are trained, and the files of prompts are there and in form."""
    for number, use in enumerate(config["prompts"]["use"]):
        yield from sae_exists(config, use, f"prompts.use[{number}]")
    sets = {name: path for name, path in config["prompts"]["sets"].items() if path is not None}
    yield from text_files.prompts(sets, config["prompts"]["baseline"])


def pinned_latents_are_interpreted(config: Config) -> Iterator[str]:
    """Autoencoders whose latents of contexts are pinned are interpreted, which finds those latents."""
    places = [(use["model"], use["site"], use["run"]) for use in config["interpretation"]["use"]]
    for number, use in enumerate(config["interventions"]["use"]):
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
    if headline["model"] == plan.CHAPTER_GPT2:
        yield f"evaluation.headline.model: expected a name under models, found '{plan.CHAPTER_GPT2}'"
    yield from sae_exists(config, headline, "evaluation.headline")


def interpreted_saes_are_trained(config: Config) -> Iterator[str]:
    """Autoencoders that are interpreted are trained."""
    for number, use in enumerate(config["interpretation"]["use"]):
        yield from sae_exists(config, use, f"interpretation.use[{number}]")


def models_in_use_are_here(config: Config) -> Iterator[str]:
    """Models that only a chapter names are on this machine, too."""
    for model in plan.make_plan(config).models:
        yield from model_is_here(config, model)


CHECKS: tuple[Check, ...] = (
    used_models_exist,
    headline_is_trained,
    interpreted_saes_are_trained,
    analysed_models_are_alike,
    words_are_groups,
    prompts_are_sets,
    pinned_latents_are_interpreted,
    named_interventions_can_be_done,
    models_in_use_are_here,
)
