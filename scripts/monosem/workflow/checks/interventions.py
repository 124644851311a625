"""Interventions that the configuration names: their settings, and checks of them. No torch."""

from collections.abc import Iterator
from typing import Any

from scripts.monosem.models import site_names
from scripts.monosem.workflow import plan
from scripts.monosem.workflow.checks import pretrained_saes

Config = dict[str, Any]
SHARED = ("doses", "samples", "sample_tokens", "tokens")  # keys of the section that an entry without them gets


def entries(config: Config) -> dict[str, dict[str, Any]]:
    """Name -> entry, without those that are null; `chapters.language_model` is replaced by the model."""
    named = config.get("interventions", {}).get("named") or {}
    return {
        name: {**entry, "model": plan.resolve(config, entry["model"])}
        for name, entry in named.items()
        if entry is not None
    }


def settings(config: Config, name: str) -> dict[str, Any]:
    """An entry with everything that it leaves to its section."""
    section, entry = config["interventions"], entries(config)[name]
    shared = {key: section[key] for key in SHARED} | {"random": section["random_latents"]}
    return {"run": None, "values": None, "text": None, "prompt": None, **shared, **entry} | {
        "context": config["activations"]["context"]
    }


def n_units(config: Config, entry: dict[str, Any]) -> int:
    """Number of latents of the autoencoder, or of neurons of the site."""
    if "run" in entry:
        return pretrained_saes.d_sae(config["sae"]["runs"][entry["run"]])
    return site_names.parse(entry["site"], plan.architecture(config, entry["model"]))[2]


def problems(config: Config, name: str) -> Iterator[str]:
    """Sentences about an entry whose model, site and run exist; none if nothing is wrong with it."""
    entry, where = entries(config)[name], f"interventions.named.{name}"
    if "text" not in entry and "prompt" not in entry:
        yield f"{where}: expected a text that the model reads, a prompt that it continues, or both; found neither"
    if "doses" in entry and "values" in entry:
        yield f"{where}.values: expected doses or values, found both"
    n = n_units(config, entry)
    if entry["unit"] >= n:
        units = f"latents of '{entry['run']}'" if "run" in entry else f"neurons of '{entry['site']}'"
        yield f"{where}.unit: expected 0 to {n - 1}, the {units}, found {entry['unit']}"
