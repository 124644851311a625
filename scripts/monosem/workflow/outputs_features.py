"""Pages of single latents: the best ones of the planted contexts, and those that the configuration names. No torch."""

from typing import Any

from scripts.monosem.workflow import plan
from scripts.monosem.workflow.plan import Config, Plan

FOLDER = "results/features"
Place = tuple[str, str, str]
"""Model, site and run of an autoencoder."""


def named(config: Config) -> dict[str, dict[str, Any]]:
    """Pages that the configuration asks for, by name: model (resolved), site, run and latent."""
    entries = config["interpretation"].get("named") or {}
    return {name: {**entry, "model": plan.resolve(config, entry["model"])} for name, entry in entries.items() if entry}


def contexts(config: Config, the_plan: Plan) -> list[str]:
    """Contexts whose best latent has a page: the planted ones, where the headline is interpreted."""
    place = tuple(config["evaluation"]["headline"][name] for name in ("model", "site", "run"))
    planted = config["corpus"]["planted"]
    return list(planted["contexts"]) if planted["share"] and place in the_plan.interpreted else []


def pages(config: Config, the_plan: Plan) -> dict[str, Place]:
    """Page -> the autoencoder whose latent it shows."""
    headline = config["evaluation"]["headline"]
    place = (headline["model"], headline["site"], headline["run"])
    by_name = {name: (entry["model"], entry["site"], entry["run"]) for name, entry in named(config).items()}
    return dict.fromkeys(contexts(config, the_plan), place) | by_name


def latents(config: Config, place: Place) -> dict[str, int]:
    """Named pages of one autoencoder -> latent."""
    entries = named(config).items()
    return {name: entry["latent"] for name, entry in entries if (entry["model"], entry["site"], entry["run"]) == place}


def results(config: Config, the_plan: Plan, what: str) -> list[str]:
    """One of the files that describe the latents, for every autoencoder that has a page."""
    places = dict.fromkeys(pages(config, the_plan).values())
    return [f"results/evaluation/{'/'.join(place)}/{what}" for place in places]


def files(config: Config, the_plan: Plan, suffix: str) -> list[str]:
    """Files of the pages."""
    return [f"{FOLDER}/{name}{suffix}" for name in pages(config, the_plan)]
