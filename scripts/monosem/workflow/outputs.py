"""Files that the figures, notebooks, metrics and the report of a configuration are made from. Imports no torch."""

from typing import Any

from scripts.monosem.workflow import outputs_analysis as analysis
from scripts.monosem.workflow import outputs_dictionaries, outputs_features, outputs_toy, plan, sweeps
from scripts.monosem.workflow.checks import pretrained_saes
from scripts.monosem.workflow.plan import Config, Plan

AGREEMENT, REFERENCE = "results/agreement.json", "paper/reference/run.json"
"""A run beside the reference run, and that run."""
FIGURES = {
    "models": ("training-curves", "losses"),
    "fidelity": (
        "frontier",
        "baselines",
        "sites",
        "layers",
        "density",
        "density-bias-cosine",
        "training",
        "shrinkage",
        "norms",
    ),
    "sweeps": ("ablation", "dead-latents"),
    "interpretation": (
        "activation-by-label",
        "specificity",
        "precision-recall",
        "confusion",
        "token-entropy",
        "scores",
        "scores-by-interval",
        "cases",
        "unseen-text",
    ),
}
NORMS_SHOWN = 5
"""Sites of the model of chapter 3 whose norms are drawn: one for each panel beside the headline's."""


def headline(config: Config) -> dict[str, str]:
    """Model, site and run that the report is about."""
    return dict(config["evaluation"]["headline"])


def families(config: Config, the_plan: Plan) -> list[str]:
    """The families of figures of a configuration: `sweeps` only where the headline's site has some to compare."""
    place = headline(config)
    swept = sweeps.trained(config, the_plan.sites[place["model"], place["site"]])
    compares = any(len(variants) > 1 for variants in swept.values())
    return [family for family in FIGURES if family != "sweeps" or compares]


def figures(family: str, suffix: str) -> list[str]:
    """Files of one family of figures."""
    return [f"results/figures/{family}/{name}{suffix}" for name in FIGURES[family]]


def trainings(the_plan: Plan) -> list[str]:
    """Summaries of all language models."""
    return [f"results/models/{model}/training.json" for model in the_plan.models]


def curves(the_plan: Plan) -> list[str]:
    """Training curves of the language models that are trained here."""
    return [f"results/models/{model}/training.jsonl" for model in the_plan.of_kind("train")]


def fidelities(the_plan: Plan) -> list[str]:
    """Evaluations of all sites."""
    return [f"results/evaluation/{model}/{site}/fidelity.json" for model, site in the_plan.sites]


def norms(config: Config, the_plan: Plan) -> list[str]:
    """Norms of the tokens at the headline's site and at those of the model of chapter 3."""
    place = headline(config)
    headline_site = (place["model"], place["site"])
    deep = [where for where in the_plan.sites if where[0] == the_plan.language_model and where != headline_site]
    return [f"results/evaluation/{model}/{site}/norms.npz" for model, site in (headline_site, *deep[:NORMS_SHOWN])]


def sae_curves(config: Config, the_plan: Plan) -> list[str]:
    """Training curves of the headline site's autoencoders, as far as they are trained here."""
    model, site = (headline(config)[name] for name in ("model", "site"))
    here = [run for run in the_plan.sites[model, site] if not pretrained_saes.is_pretrained(config["sae"]["runs"][run])]
    return [f"results/sae/{model}/{site}/{run}/training.jsonl" for run in here]


def sources_of_pretrained_saes(config: Config, the_plan: Plan) -> dict[str, str]:
    """Runs in use that were not trained here -> where they come from."""
    sources = {}
    for run in dict.fromkeys(run for runs in the_plan.sites.values() for run in runs):
        if source := config["sae"]["runs"][run].get("pretrained"):
            sources[run] = "/".join(part for part in (source["name"], source.get("subfolder")) if part)
    return sources


def control(config: Config) -> str | None:
    """The model whose weights are permuted."""
    return config["chapters"]["one_layer"].get("control")


def interpreted(config: Config, the_plan: Plan, what: str) -> list[str]:
    """Files of the headline's model and of its control, as far as they are interpreted at the headline's site."""
    place = headline(config)
    wanted = [(model, place["site"], place["run"]) for model in (place["model"], control(config))]
    return [f"results/evaluation/{'/'.join(key)}/{what}" for key in wanted if key in the_plan.interpreted]


def scored(config: Config, the_plan: Plan, what: str) -> list[str]:
    """A file of the headline's scores, as a list; empty where the configuration does not score it."""
    place = tuple(headline(config)[name] for name in ("model", "site", "run"))
    return [f"results/evaluation/{'/'.join(place)}/{what}"] if place in the_plan.scored else []


def cases(config: Config) -> str:
    """Case studies of the headline's autoencoder."""
    return "results/evaluation/{model}/{site}/{run}/cases.json".format_map(headline(config))


def corpus_manifest(config: Config) -> str:
    """Manifest of the corpus."""
    return f"results/data/{config['corpus']['name']}/manifest.json"


def token_manifests(config: Config, the_plan: Plan) -> list[str]:
    """Token shards of every tokenizer in use."""
    tokenizers = dict.fromkeys(plan.tokenizer_of(config, model) for model in the_plan.models)
    return [f"results/data/{config['corpus']['name']}/tokens/{name}/manifest.json" for name in tokenizers]


def results(config: Config, the_plan: Plan) -> list[str]:
    """Every JSON result that numbers are collected from."""
    saes = [f"{model}/{site}/{run}" for (model, site), runs in the_plan.sites.items() for run in runs]
    read = ["/".join(names) for names in the_plan.interpreted]
    return [
        "results/environment.json",
        corpus_manifest(config),
        *token_manifests(config, the_plan),
        *(f"results/toy/{name}/result.json" for name in outputs_toy.experiments(config["toy"])),
        *trainings(the_plan),
        *(f"results/activations/{model}/{site}/manifest.json" for model, site in the_plan.sites),
        *(f"results/sae/{sae}/training.json" for sae in saes),
        *fidelities(the_plan),
        cases(config),
        *outputs_dictionaries.results(config).values(),
        *analysis.results(the_plan),
        *(f"results/evaluation/{'/'.join(names)}/scores.json" for names in the_plan.scored),
        *(f"results/evaluation/{sae}/{what}.json" for sae in read for what in ("interpretation", "contexts")),
    ]


def notebooks(config: Config) -> dict[str, dict[str, Any]]:
    """Notebook -> the results it reads and its parameters."""
    model, site, run = (headline(config)[name] for name in ("model", "site", "run"))
    sae, read = f"results/sae/{model}/{site}/{run}", f"results/evaluation/{model}/{site}/{run}"
    return {
        "token_activations": {
            "results": [
                *(f"results/models/{model}/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")),
                *(f"{sae}/{name}" for name in ("cfg.json", "sae_weights.safetensors")),
            ],
            "parameters": {"model": f"results/models/{model}", "sae": sae, "site": site},
        },
        "latent_browser": {
            "results": [f"{read}/interpretation.json", f"{read}/contexts.json"],
            "parameters": {"interpretation": f"{read}/interpretation.json", "contexts": f"{read}/contexts.json"},
        },
    }


def seeds(config: Config, the_plan: Plan) -> dict[str, int]:
    """Every seed that the configuration states, by what it is for."""
    seeds = {"everything without a seed of its own": config["seed"]}
    for model, kind in the_plan.models.items():
        if "seed" in config["models"][model][kind]:
            seeds[f"model {model}"] = config["models"][model][kind]["seed"]
    defaults = config["sae"]["defaults"]
    for run in dict.fromkeys(run for runs in the_plan.sites.values() for run in runs):
        settings = {**defaults, **config["sae"]["runs"][run]}
        if "seed" in settings:
            seeds[f"autoencoder {run}"] = settings["seed"]
    for experiment, settings in outputs_toy.experiments(config["toy"]).items():
        if "seed" in settings:
            seeds[f"toy {experiment}"] = settings["seed"]
    return seeds


def stand_ins(the_plan: Plan) -> list[str]:
    """Chapters that run on a model made here in place of the pretrained ones that their works are about."""
    return [] if the_plan.models[the_plan.language_model] == "pretrained" else ["language_model"]


def settings(config: Config, the_plan: Plan) -> dict[str, Any]:
    """Settings that the report names."""
    planted = config["corpus"]["planted"]
    return {
        "seeds": seeds(config, the_plan),
        "browser": bool(the_plan.browsed),
        "pretrained_saes": sources_of_pretrained_saes(config, the_plan),
        "language_model": {
            "model": the_plan.language_model,
            "candidates": list(config["chapters"]["language_model"]["candidates"]),
            "is_pretrained": the_plan.models[the_plan.language_model] == "pretrained",
        },
        "toy": outputs_toy.experiments(config["toy"]),
        "analysis": analysis.report_settings(config, the_plan),
        "cards_shown": min(8, config["interpretation"]["units"]),
        "contexts": list(planted["contexts"]) if planted["share"] else [],
        "features": list(outputs_features.pages(config, the_plan)),
        "natural_features": outputs_features.natural(config, the_plan),
        "drop_first_position": config["activations"]["drop_first_position"],
        "exclude_norm_above": config["activations"]["exclude_norm_above"],
        "compares_sweeps": "sweeps" in families(config, the_plan),
    }
