"""Figures of the pentagon with one rare feature: loss curves that cross, and the features before and after the snap."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays

BRANCHES = (("pentagon", style.VERMILION), ("two digons", style.BLUE))
N_SHOWN = 6
"""Models that are drawn."""


def snap(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Losses of both arrangements and of the best free model above, the best models' features below.

    Arrays: ratios and free_loss [level], branch_losses and branch_stays [branch, level], W [level, 2, 5].
    """
    ratios = arrays["ratios"]
    figure = style.new_figure(height=4.3)
    panels = figure.subfigures(2, 1, height_ratios=(1.9, 1.0))
    axes = panels[0].subplots()
    for index, (name, colour) in enumerate(BRANCHES):
        loss = np.where(arrays["branch_stays"][index], arrays["branch_losses"][index], np.nan)
        axes.plot(ratios, loss, color=colour, label=f"starts as {name}, and stays")
    axes.plot(ratios, arrays["free_loss"], "o", color="black", markersize=3.2, markerfacecolor="none",
              label="best of many free models")  # fmt: skip
    if result["ratio_at_crossing"]:
        axes.axvline(result["ratio_at_crossing"], color=style.GREY, **style.REFERENCE_LINE)
        axes.annotate(f"{result['times_rarer_at_crossing']:.1f} times rarer", (result["ratio_at_crossing"], 0.04),
                      xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
                      color=style.GREY, fontsize=7.5)  # fmt: skip
    ticks = [tick for tick in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0) if ratios[0] <= tick <= ratios[-1] * 1.001]
    axes.set(
        xscale="log", xlabel="density of the changed feature / density of the other four", ylabel="unexplained loss"
    )
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.legend(loc="upper center")
    shown = np.unique(np.linspace(0, len(ratios) - 1, N_SHOWN).round().astype(int))
    for axes, level in zip(panels[1].subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        for feature, (x, y) in enumerate(arrays["W"][level].T):
            colour = style.ORANGE if feature == 0 else "#555555"
            axes.plot([0, x], [0, y], color=colour, linewidth=1.4)
            axes.plot(x, y, "o", color=colour, markersize=3.5)
        style.bare(axes).set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
        axes.set_title(f"ratio {ratios[level]:.2g}", fontsize=8)
    panels[1].supxlabel("features of the best free model (orange: the changed one)", fontsize=8.5)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"snap": snap(result, arrays)}
