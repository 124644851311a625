"""Figures of the scores of latents beside those of neurons, rotated neurons, random directions, a permuted model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.monosem.figures import style

NAMES = {
    "latents": "latents",
    "neurons": "neurons",
    "rotated": "rotated neurons",
    "random": "random directions",
    "permuted": "latents of the\npermuted model",
}
LOOKS = {
    "latents": (style.OURS, "o"),
    "neurons": (style.BASELINE, "s"),
    "rotated": (style.ORANGE, "D"),
    "random": (style.GREY, "v"),
    "permuted": (style.PURPLE, "^"),
}
"""Colour and marker, so that populations differ in grey, too."""
PANELS = {
    "n2g_pearson": ("N2G: correlation of predicted and\ntrue activation, random tokens", 0.0),
    "n2g_interval_spearman": ("N2G: rank correlation,\nexamples by interval of activation", 0.0),
    "logit_accuracy": ("logit test: share of right answers", 0.5),
    "embedding_auc": ("example embedding: AUC", 0.5),
}
"""Score -> its title and the value of chance."""
INTERVAL_PANELS = {
    "n2g_recall": "N2G: tokens predicted to fire",
    "token_recall": "token alone: likewise",
    "embedding_auc": "example embedding: AUC",
}
NOT_SCORED = "the configuration does not score the headline's latents"


def _row(
    axes: Axes, place: int, name: str, units: Float[np.ndarray, " units"], raw: Mapping[str, Any],
    cut: Mapping[str, Any],
) -> None:  # fmt: skip
    """Units, mean at equal density (filled), mean as they are (open)."""
    colour, marker = LOOKS[name]
    units = units[np.isfinite(units)]
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(units))
    axes.plot(units, place + jitter, ".", color=colour, alpha=0.35, ms=3, mew=0, zorder=2, rasterized=True)
    for estimate, filled, offset in ((cut, True, 0.0), (raw, False, 0.33)):
        if estimate["value"] is not None:
            axes.errorbar(
                estimate["value"], place + offset,
                xerr=[[estimate["value"] - estimate["low"]], [estimate["high"] - estimate["value"]]],
                fmt=marker, ms=6 if filled else 4.5, color="black", mfc=colour if filled else "white", mec="black",
                mew=0.8, elinewidth=1.2, zorder=4,
            )  # fmt: skip


def populations(document: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> Figure:
    """Every unit's score (dots) and the mean with its interval, one row per population, one panel per score."""
    if document is None:
        return style.empty_figure(NOT_SCORED)
    here = [name for name in NAMES if name in document["populations"]]
    figure = style.new_figure(height=1.2 + 1.0 * len(here))
    axes = figure.subplots(2, 2, sharey=True)
    for panel, (score, (title, chance)) in zip(axes.ravel(), PANELS.items(), strict=True):
        panel.axvline(chance, color=style.GREY, **style.REFERENCE_LINE)
        for place, name in enumerate(here):
            rows = [document["populations"][name][variant]["scores"][score] for variant in ("raw", "equal_density")]
            _row(panel, place, name, arrays[f"{name}.equal_density.{score}"], *rows)
        panel.set_title(title)
        panel.set_yticks(range(len(here)), [NAMES[name] for name in here])
        panel.set_ylim(len(here) - 0.4, -0.6)
        panel.grid(axis="y", visible=False)
    return figure


def by_interval(document: Mapping[str, Any] | None) -> Figure:
    """Mean score on the tokens of each interval of activation, at equal density, with its interval over units."""
    if document is None:
        return style.empty_figure(NOT_SCORED)
    figure = style.new_figure(height=3.0)
    axes = figure.subplots(1, len(INTERVAL_PANELS))
    for panel, (score, title) in zip(axes, INTERVAL_PANELS.items(), strict=True):
        for name, (colour, marker) in LOOKS.items():
            if name not in document["populations"]:
                continue
            rows = document["populations"][name]["equal_density"]["by_interval"][score]
            n = document["populations"][name]["equal_density"]["n_units"]
            kept = [(i + 1, row) for i, row in enumerate(rows) if row["n"] >= 0.2 * n]
            x = [i for i, _ in kept]
            panel.plot(
                x, [row["value"] for _, row in kept], color=colour, marker=marker, ms=4,
                label=NAMES[name].replace("\n", " "),
            )  # fmt: skip
            panel.fill_between(
                x, [row["low"] for _, row in kept], [row["high"] for _, row in kept], color=colour, alpha=0.18, lw=0
            )
        panel.set_title(title)
        panel.set_xlabel("interval of activation")
        panel.set_xticks(range(1, 12, 2))
        panel.set_ylim(0.0 if score != "embedding_auc" else 0.45, 1.02)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
