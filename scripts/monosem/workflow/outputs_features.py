"""Pages of single latents: the best ones of planted and of natural contexts, and those that are named. No torch."""

from typing import Any

from scripts.monosem.text import natural_rules
from scripts.monosem.workflow import plan
from scripts.monosem.workflow.plan import Config, Plan

FOLDER = "results/features"
Place = tuple[str, str, str]
"""Model, site and run of an autoencoder."""


def named(config: Config) -> dict[str, dict[str, Any]]:
    """Pages that the configuration asks for, by name: model (resolved), site, run and latent."""
    entries = config["interpretation"].get("named") or {}
    return {name: {**entry, "model": plan.resolve(config, entry["model"])} for name, entry in entries.items() if entry}


def headline(config: Config) -> Place:
    """The autoencoder whose latents of contexts have pages."""
    return tuple(config["evaluation"]["headline"][name] for name in ("model", "site", "run"))


def planted(config: Config, the_plan: Plan) -> list[str]:
    """Planted contexts whose best latent has a page: all, where the headline is interpreted."""
    made = config["corpus"]["planted"]
    return list(made["contexts"]) if made["share"] and headline(config) in the_plan.interpreted else []


def natural(config: Config, the_plan: Plan) -> list[str]:
    """Contexts of natural text whose best latent has a page: all, where the headline is interpreted."""
    return list(natural_rules.CONTEXTS) if headline(config) in the_plan.interpreted else []


def pages(config: Config, the_plan: Plan) -> dict[str, Place]:
    """Page -> the autoencoder whose latent it shows."""
    contexts = [*planted(config, the_plan), *natural(config, the_plan)]
    by_name = {name: (entry["model"], entry["site"], entry["run"]) for name, entry in named(config).items()}
    return dict.fromkeys(contexts, headline(config)) | by_name


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
