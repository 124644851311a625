"""Names for the parts of a run that claims and report speak of, so that neither names a model, site or run."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.core.artefacts import key_prefix
from scripts.monosem.workflow import outputs_dictionaries, outputs_toy
from scripts.monosem.workflow.plan import CHAPTER_3, sites_of, tokenizer_of, uses


def toy_roles(config: Mapping[str, Any]) -> dict[str, str | None]:
    """Experiment of the toy chapter -> the part of a key that is its result; None for one that is left out."""
    experiments = outputs_toy.experiments(config["toy"])
    playing = {
        name: f"toy/{name}/result" if name in experiments else None for name in (*outputs_toy.NAMED, *experiments)
    }
    levels = experiments.get("superposition", {}).get("probabilities", ())
    return playing | {"densest": "0" if levels else None, "sparsest": str(len(levels) - 1) if levels else None}


def _sites(config: Mapping[str, Any], model: str, chapter_model: str) -> list[tuple[str, list[str]]]:
    """Sites of a model with their runs, in the order of the configuration."""
    names = {model, CHAPTER_3} if model == chapter_model else {model}
    return [(site, use["runs"]) for _, use in uses(config, "sae") if use["model"] in names for site in sites_of(use)]


def _evaluation(model: str | None, site: str | None, run: str | None, what: str) -> str | None:
    parts = [part for part in (model, site, *([run] if what != "fidelity" else [])) if part]
    complete = len(parts) == (2 if what == "fidelity" else 3)
    return key_prefix("/".join(["results/evaluation", *parts, f"{what}.json"])) if complete else None


def _first_of(config: Mapping[str, Any], section: str, language_model: str | None) -> str | None:
    """The part of a key that is a section's result on the first autoencoder that it uses on the chapter's model."""
    for _, use in uses(config, section):
        if use["model"] in (CHAPTER_3, language_model):
            return f"analysis/{language_model}/{use['site']}/{use['run']}/{section}"
    return None


def published_method(config: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Runs beside the headline's by the method of Bricken et al. 2023, of the weakest and of the strongest penalty.

    A ReLU with an L1 penalty, Kaiming's start, resampling, and as many latents as the headline has.
    """
    sae, headline = config["sae"], config["evaluation"]["headline"]
    width = sae["runs"].get(headline["run"], {}).get("d_sae")
    here = [run for site, runs in _sites(config, headline["model"], None) if site == headline["site"] for run in runs]
    settings = {run: {**sae["defaults"], **sae["runs"][run]} for run in dict.fromkeys(here) if run in sae["runs"]}
    wanted = {"architecture": "relu", "encoder_init": "kaiming", "d_sae": width}
    fitting = [
        run for run, each in settings.items() if each.get("resample") and wanted.items() <= each.items()
    ]  # fmt: skip
    by_penalty = sorted(fitting, key=lambda run: settings[run]["l1_coefficient"])
    return (by_penalty[0], by_penalty[-1]) if len(by_penalty) > 1 else (None, None)


def roles(config: Mapping[str, Any], language_model: str | None) -> dict[str, str | None]:
    """Role -> the part of a key (or the name) that plays it; None for a role that this configuration leaves out.

    Args:
        language_model: the model that chapter 3 runs on, resolved.
    """
    headline, one_layer = config["evaluation"]["headline"], config["chapters"]["one_layer"]
    model, site, run = (headline[name] for name in ("model", "site", "run"))
    deep = _sites(config, language_model, language_model) if language_model else []
    deep_mlp = next(((where, names) for where, names in deep if "mlp" in where), (None, [None]))
    deep_stream = next(((where, names) for where, names in deep if "resid" in where), (None, [None]))
    interpreted = {(use["model"], use["site"], use["run"]) for _, use in uses(config, "interpretation")}
    scored = [{key: use[key] for key in headline} for _, use in uses(config, "scores")]
    control, second = one_layer.get("control"), one_layer.get("second")
    control_read = (control, site, run) if (control, site, run) in interpreted else (None, None, None)
    analysed = {language_model if use["model"] == CHAPTER_3 else use["model"] for _, use in uses(config, "analysis")}
    pinned = headline in [dict(use) for _, use in uses(config, "interventions")]
    corpus = config["corpus"]["name"]
    weak, strong = published_method(config)
    return {
        "model": model,
        "site": site,
        "run": run,
        "second": second,
        "control": control,
        "language_model": language_model,
        "training": f"models/{model}/training",
        "second_training": second and f"models/{second}/training",
        "without_mlp_training": one_layer.get("without_mlp") and f"models/{one_layer['without_mlp']}/training",
        "control_training": control and f"models/{control}/training",
        "language_model_training": language_model and f"models/{language_model}/training",
        "sae": f"sae/{model}/{site}/{run}/training",
        "published_weak": weak,
        "published_strong": strong,
        "fidelity": _evaluation(model, site, None, "fidelity"),
        "control_fidelity": _evaluation(control, site, None, "fidelity"),
        "second_fidelity": _evaluation(second, site, None, "fidelity"),
        "interpretation": _evaluation(model, site, run, "interpretation"),
        "contexts": _evaluation(model, site, run, "contexts"),
        "cases": _evaluation(model, site, run, "cases"),
        "control_interpretation": _evaluation(*control_read, "interpretation"),
        "scores": _evaluation(model, site, run, "scores") if headline in scored else None,
        "language_model_site": deep_mlp[0],
        "language_model_run": deep_mlp[1][0],
        "language_model_fidelity": _evaluation(language_model, deep_mlp[0], None, "fidelity"),
        "language_model_stream_site": deep_stream[0],
        "language_model_stream_run": deep_stream[1][0],
        "language_model_stream_fidelity": _evaluation(language_model, deep_stream[0], None, "fidelity"),
        "analysis": f"analysis/{model}" if model in analysed else None,
        "language_model_analysis": f"analysis/{language_model}" if language_model in analysed else None,
        "language_model_prompts": _first_of(config, "prompts", language_model),
        "interventions": f"analysis/{model}/{site}/{run}/interventions" if pinned else None,
        "corpus": f"data/{corpus}/manifest",
        "tokens": f"data/{corpus}/tokens/{tokenizer_of(config, model)}/manifest",
        **outputs_dictionaries.roles(config),
        **toy_roles(config),
    }
