"""Comparisons of whole dictionaries that a configuration asks for: files and figures. No torch, no numpy."""

from scripts.monosem.core.artefacts import key_prefix
from scripts.monosem.models.site_names import layer_of
from scripts.monosem.workflow.plan import Config, Plan, resolve, sites_of, uses

FIGURES = {
    "universality": ("universality", "similarity", "matched-contexts"),
    "splitting": ("children", "context-latents", "families", "map", "logit-scatter"),
    "automata": ("automata", "transitions"),
}
"""Part -> its figures."""
BEFORE_ACTIVATION = ("mlp.hook_pre", "mlp.hook_pre_linear")


def parts(config: Config) -> list[str]:
    """Parts that can be made: a second seed, narrower dictionaries, and logit weights at the headline's site."""
    headline, chapter = config["evaluation"]["headline"], config["chapters"]["one_layer"]
    place = layer_of(headline["site"])
    has_logits = place is not None and place[1] not in BEFORE_ACTIVATION
    wanted = {
        "universality": has_logits and is_trained(config, chapter.get("second")),
        "splitting": bool(config["dictionaries"]["narrower"]),
        "automata": has_logits,
    }
    return [part for part, made in wanted.items() if made]


def is_trained(config: Config, model: str | None) -> bool:
    """True if a model has a dictionary of the headline's run at the headline's site."""
    headline = config["evaluation"]["headline"]
    return any(
        resolve(config, use["model"]) == model and headline["site"] in sites_of(use) and headline["run"] in use["runs"]
        for _, use in uses(config, "sae")
    )


def folder(config: Config) -> str:
    """Where the results are."""
    headline = config["evaluation"]["headline"]
    return f"results/analysis/{headline['model']}/{headline['site']}/{headline['run']}"


def results(config: Config) -> dict[str, str]:
    """Part -> its JSON result."""
    return {part: f"{folder(config)}/{part}.json" for part in parts(config)}


def figure_names(config: Config) -> list[str]:
    """Names of the figures."""
    return [figure for part in parts(config) for figure in FIGURES[part]]


def roles(config: Config) -> dict[str, str | None]:
    """Part -> the part of a key that is its result; None for one that is left out."""
    made = results(config)
    return {part: key_prefix(made[part]) if part in made else None for part in FIGURES}


def others(config: Config) -> dict[str, str]:
    """`second` and `control` -> the model, as far as their dictionaries are trained."""
    chapter = config["chapters"]["one_layer"]
    named = {role: chapter.get(role) for role in ("second", "control")}
    return {role: model for role, model in named.items() if is_trained(config, model)}


def contexts(config: Config, plan: Plan) -> list[str]:
    """The headline's contexts.json, whose latents are matched with those of the second seed; none if it has none."""
    headline = config["evaluation"]["headline"]
    key = (headline["model"], headline["site"], headline["run"])
    return [f"results/evaluation/{'/'.join(key)}/contexts.json"] if key in plan.interpreted else []
