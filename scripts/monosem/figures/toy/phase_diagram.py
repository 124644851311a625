"""Figures of phase diagrams: theory beside trained models, and loss curves that cross."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy.theory import phases

COLOURS = ("#e9e9e9", style.VERMILION, style.BLUE)
"""Of the extra feature's fates, in their order."""


def blend(
    norm: Float[np.ndarray, "row column"], interference: Float[np.ndarray, "row column"]
) -> Float[np.ndarray, "row column 3"]:
    """Colour of a cell: the more a feature is represented the stronger, the more it shares the more towards red."""
    absent, shared, alone = (np.array(to_rgb(colour)) for colour in COLOURS)
    share = np.clip(interference, 0.0, 1.0)[..., None]
    present = np.clip(norm, 0.0, 1.0)[..., None]
    return present * (share * shared + (1.0 - share) * alone) + (1.0 - present) * absent


def _edges(values: Float[np.ndarray, " level"]) -> Float[np.ndarray, " edge"]:
    """Borders of cells whose centres are evenly spaced in the logarithm."""
    half = np.sqrt(values[1] / values[0])
    return np.append(values / half, values[-1] * half)


def _lines(axes: Axes, arrays: Arrays) -> None:
    """Boundaries of theory, and the axes of a diagram."""
    p, importance = arrays["probabilities"], arrays["importances"]
    for line in ("lower", "upper"):
        axes.plot(p, arrays[line], color="black", linewidth=1.0, linestyle=(0, (3, 2)))
    edges = _edges(p), _edges(importance)
    axes.set(xscale="log", yscale="log", xlim=edges[0][[-1, 0]], ylim=edges[1][[0, -1]])
    axes.set_xticks([1.0, 0.3, 0.1, 0.03, 0.01], ["1", ".3", ".1", ".03", ".01"])
    axes.set_yticks([0.1, 0.3, 1.0, 3.0, 10.0], ["0.1", "0.3", "1", "3", "10"])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    axes.grid(False)


def diagram(result: dict[str, Any], arrays: Arrays) -> Figure:
    """The extra feature's fate in theory, in the ReLU models and in the linear ones, over sparsity and importance.

    Arrays: probabilities, lower, upper [p], importances [importance], the others [importance, p].
    """
    n, p, importance = result["parameters"]["n"], arrays["probabilities"], arrays["importances"]
    fate = arrays["theory_fate"]
    panels = {
        "theory": blend((fate != phases.IGNORED) * 1.0, (fate == phases.SUPERPOSED) * 1.0),
        "best ReLU model": blend(arrays["relu_norm"], arrays["relu_interference"]),
        "mean without the worst": blend(arrays["relu_mean_norm"], arrays["relu_mean_interference"]),
        "linear model (control)": blend(arrays["linear_norm"], arrays["linear_interference"]),
    }
    figure = style.new_figure(height=2.5)
    grid = figure.subplots(1, 4, sharey=True)
    for axes, (title, colours) in zip(grid, panels.items(), strict=True):
        axes.pcolormesh(_edges(p), _edges(importance), colours, rasterized=True)
        _lines(axes, arrays)
        axes.set_xlabel("feature probability p")
        axes.set_title(title, fontsize=8)
    grid[0].set_ylabel("importance of the extra feature,\nrelative to the other" + ("s" if n > 2 else ""))
    handles = [Patch(facecolor=c, edgecolor="#999999", label=f) for c, f in zip(COLOURS, phases.FATES, strict=True)]
    figure.legend(handles=handles, title=f"extra of {n} features in {n - 1} dimension{'s' if n > 2 else ''}",
                  loc="outside lower center", ncols=3)  # fmt: skip
    return figure


def crossing(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Loss of the branches against importance, as far as training that starts on one stays on it.

    Arrays: branch_importances [point], relu_branch_losses and relu_branch_stays [solution, point].
    """
    x, first = arrays["branch_importances"], result["first_order"]
    forms = phases.solution_losses(result["parameters"]["n"], np.array(first["probability"]), x)
    figure = style.new_figure(height=2.7)
    axes = figure.subplots()
    for index, (name, colour) in enumerate(
        zip(result["solutions"], (style.GREY, style.VERMILION, style.BLUE, style.GREEN), strict=False)
    ):
        stays = arrays["relu_branch_stays"][index]
        loss = np.where(stays, arrays["relu_branch_losses"][index], np.nan)
        axes.plot(x, forms[name], color=colour, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.plot(x, loss, color=colour, marker="o", markersize=2, label=name)
    if first["relu_importance_at_crossing"]:
        axes.axvline(first["relu_importance_at_crossing"], color=style.GREY, **style.REFERENCE_LINE)
        axes.annotate("curves cross", (first["relu_importance_at_crossing"], 0.97), xycoords=("data", "axes fraction"),
                      xytext=(4, 0), textcoords="offset points", va="top", color=style.GREY, fontsize=7.5)  # fmt: skip
    losses = arrays["relu_branch_losses"]
    axes.set(xscale="log", yscale="log", xlim=(x[0], x[-1]), ylim=(losses.min() * 0.8, losses.max() * 1.25))
    axes.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    axes.set_yticks([0.003, 0.01, 0.03, 0.1, 0.3], ["0.003", "0.01", "0.03", "0.1", "0.3"])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=f"importance of the extra feature, at p = {first['probability']:g}", ylabel="loss")
    title = "models that start as, and stay\n(dotted: ideal one)"
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title=title, alignment="left")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"diagram": diagram(result, arrays), "crossing": crossing(result, arrays)}
