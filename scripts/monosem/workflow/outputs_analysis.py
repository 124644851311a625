"""Files and figures of the analyses of a configuration. Read while the workflow is parsed: no torch, no numpy."""

from typing import Any

from scripts.monosem.workflow.plan import Config, Plan

PARTS = ("tokens", "similarity", "layers")
FIGURES = ("statistics", "similarity", "positions", "words", "layers", "matched")
PROMPT_FIGURES = ("dots", "ranking")
INTERVENTION_FIGURES = ("dose-response", "ablation")
COMPARED = ("layers",)  # of a model outside chapter 3: only what it has in common with others


def texts(config: Config) -> dict[str, str]:
    """Name -> text, without those that are null."""
    return {name: text for name, text in config["analysis"]["texts"].items() if text is not None}


def prompt_sets(config: Config) -> dict[str, str]:
    """Name -> file, without sets that are null."""
    return {name: path for name, path in config["prompts"]["sets"].items() if path is not None}


def results(plan: Plan) -> list[str]:
    """JSON results of all analyses."""
    models = [f"results/analysis/{model}/{part}.json" for model in plan.analysed for part in PARTS]
    prompts = [f"results/analysis/{folder(sae)}/prompts.json" for sae in plan.prompted]
    return models + prompts + [f"results/analysis/{folder(sae)}/interventions.json" for sae in plan.intervened]


def arrays(plan: Plan) -> list[str]:
    """Arrays behind the figures."""
    models = [f"results/analysis/{model}/arrays.npz" for model in plan.analysed]
    return models + [f"results/analysis/{folder(sae)}/prompts.npz" for sae in plan.prompted]


def folder(sae: tuple[str, str, str]) -> str:
    """Part of a path that an autoencoder has for itself."""
    return "/".join(sae)


def figure_stem(sae: tuple[str, str, str]) -> str:
    """The same as part of a figure's name."""
    return "-".join(sae).replace(".", "_")


def figure_names(config: Config, plan: Plan) -> list[str]:
    """`{model}-{figure}` of everything that is drawn: all of the chapter's model, and comparisons of others."""
    names = []
    for model, peers in plan.analysed.items():
        if model == plan.language_model:
            names += [f"{model}-{figure}" for figure in FIGURES]
            names += [f"{model}-text-{name}" for name in texts(config)]
        elif peers:
            names += [f"{model}-{figure}" for figure in COMPARED]
    names += [f"{figure_stem(sae)}-{figure}" for sae in plan.prompted for figure in PROMPT_FIGURES]
    names += [f"{figure_stem(sae)}-{figure}" for sae in plan.intervened for figure in INTERVENTION_FIGURES]
    return names


def report_settings(config: Config, plan: Plan) -> dict[str, Any]:
    """Settings of the analyses that the report names."""
    return {
        "models": {model: list(peers) for model, peers in plan.analysed.items()},
        "texts": texts(config) if plan.analysed else {},
        "prompts": {figure_stem(sae): f"analysis/{folder(sae)}/prompts" for sae in plan.prompted},
        "interventions": {figure_stem(sae): f"analysis/{folder(sae)}/interventions" for sae in plan.intervened},
    }
