"""Files and figures of the analyses of a configuration. Read while the workflow is parsed: no torch, no numpy."""

from typing import Any

from scripts.monosem.plan import Config, Plan

PARTS = ("tokens", "similarity", "layers")
FIGURES = ("statistics", "similarity", "positions", "words", "layers", "matched")
COMPARED = ("layers",)  # of a model outside chapter 3: only what it has in common with others


def texts(config: Config) -> dict[str, str]:
    """Name -> text, without those that are null."""
    return {name: text for name, text in config["analysis"]["texts"].items() if text is not None}


def results(plan: Plan) -> list[str]:
    """JSON results of all analyses."""
    return [f"results/analysis/{model}/{part}.json" for model in plan.analysed for part in PARTS]


def figure_names(config: Config, plan: Plan) -> list[str]:
    """`{model}-{figure}` of everything that is drawn: all of the chapter's model, and comparisons of others."""
    names = []
    for model, peers in plan.analysed.items():
        if model == plan.gpt2:
            names += [f"{model}-{figure}" for figure in FIGURES]
            names += [f"{model}-text-{name}" for name in texts(config)]
        elif peers:
            names += [f"{model}-{figure}" for figure in COMPARED]
    return names


def report_settings(config: Config, plan: Plan) -> dict[str, Any]:
    """What the chapter says about what was analysed."""
    if not plan.analysed:
        return {"models": {}, "texts": {}}
    return {"models": {model: list(peers) for model, peers in plan.analysed.items()}, "texts": texts(config)}
