"""Rules about autoencoders: what each run needs, and where runs can be trained."""

from collections.abc import Iterator
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae.architectures import foreign_keys
from scripts.monosem.sae.config import SaeConfig, contradictions
from scripts.monosem.workflow import plan, sweeps
from scripts.monosem.workflow.checks import pretrained_saes
from scripts.monosem.workflow.checks.common import Check, Config, exists, model_exists, site_exists

NOT_RUNS = ("clean", "twin", "pca", "neurons")
"""Names of the model, of baselines and of neurons in documents that have runs beside them."""


def run_is_no_baseline(config: Config) -> Iterator[str]:
    """No run has the name of something else in the same tables."""
    for name in NOT_RUNS:
        if name in config["sae"]["runs"]:
            yield f"sae.runs.{name}: expected another name, '{name}' is what results call a baseline"


def trained_runs(config: Config) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(path, the run as it is written, the run with its defaults; null in either is no value) of runs trained here."""
    for name, run in config["sae"]["runs"].items():
        if not pretrained_saes.is_pretrained(run):
            merged = {**config["sae"]["defaults"], **run}
            yield f"sae.runs.{name}", run, {key: value for key, value in merged.items() if value is not None}


def pretrained_run_has_no_training(config: Config) -> Iterator[str]:
    """A pretrained run has no parameters of training."""
    for name, run in config["sae"]["runs"].items():
        others = [key for key in run if key != "pretrained"] if pretrained_saes.is_pretrained(run) else []
        yield from (f"sae.runs.{name}.{key}: a pretrained autoencoder has no parameters of training" for key in others)


def run_is_complete(config: Config) -> Iterator[str]:
    """A run has what every run needs and what its architecture needs, nothing of another, and fitting numbers."""
    for where, run, merged in trained_runs(config):
        yield from (f"{where}.{key} is missing" for key in ("architecture", "d_sae", "vectors") if run.get(key) is None)
        yield from (f"{where}.{wrong}" for wrong in contradictions(merged))
        for key in foreign_keys(merged["architecture"]):
            if key in run:
                yield f"{where}.{key}: the architecture {merged['architecture']} has none"


def run_has_a_batch(config: Config) -> Iterator[str]:
    """The vectors of a run are at least one batch."""
    for where, _, merged in trained_runs(config):
        batch, vectors = merged.get("batch_size", SaeConfig.batch_size), merged["vectors"]
        if vectors < batch:
            yield f"{where}.vectors: expected at least one batch of {batch}, found {vectors}"


def used_names_exist(config: Config) -> Iterator[str]:
    """Models, sites, runs and sweeps of `sae.use` exist, and pretrained autoencoders belong where they are used."""
    for number, use in plan.uses(config, "sae"):
        where = f"sae.use[{number}]"
        yield from model_exists(config, use["model"], f"{where}.model")
        for run in use["runs"]:
            yield from exists(config["sae"]["runs"], run, f"{where}.runs", "the run")
        for sweep in use.get("sweeps", []):
            yield from exists(sweeps.declared(config), sweep, f"{where}.sweeps", "the sweep")
        model = plan.resolve(config, use["model"])
        for site in plan.sites_of(use):
            yield from site_exists(config, model, site, where)
            for run in use["runs"]:
                yield from _pretrained_fits(config, run, model, site)


def _pretrained_fits(config: Config, name: str, model: str, site: str) -> Iterator[str]:
    """A pretrained run is on this machine and belongs to the model and site."""
    run = config["sae"]["runs"][name]
    try:
        if pretrained_saes.is_pretrained(run):
            shape = plan.architecture(config, model)
            pretrained_saes.check(run, f"sae.runs.{name}", plan.names_of(config, model), shape, site)
    except (ValueError, ArtefactError) as error:
        yield str(error)


CHECKS: tuple[Check, ...] = (
    run_is_no_baseline,
    pretrained_run_has_no_training,
    run_is_complete,
    run_has_a_batch,
    used_names_exist,
)
