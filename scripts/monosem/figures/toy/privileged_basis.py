"""Figures of models with a privileged basis: weights per neuron, and the sequence of solutions."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy import neuron_roles


def weights(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Wᵀ of every level, W [level, m, n]: a row is a feature, a column a neuron, purest neurons first."""
    levels = result["models"]["relu"]
    columns = min(4, len(levels))
    rows = -(-len(levels) // columns)
    figure = style.new_figure(height=0.4 + 2.1 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(levels) :]:
        axes.set_visible(False)
    for index, (axes, level) in enumerate(zip(grid, levels, strict=False)):
        W = arrays["W"][index]
        order = np.lexsort((np.abs(W).argmax(axis=1), -np.round(neuron_roles.purity(W), 1)))
        image = axes.imshow(W[order].T, cmap=style.DIVERGING, norm=style.SIGNED, aspect="auto")
        axes.grid(False)
        axes.set_title(f"p = {level['probability']:g}\n{level['solution']}", fontsize=7.5)
        axes.set_xticks([])
        axes.set_yticks(range(0, W.shape[1], 3))
        if index % columns == 0:
            axes.set_ylabel("feature")
        if index + columns >= len(levels):
            axes.set_xlabel("neuron")
    figure.colorbar(image, ax=list(grid), fraction=0.02, pad=0.01, aspect=40, extend="both").set_label("weight")
    return figure


def solutions(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Features represented and monosemantic neurons against sparsity; losses [level, restart] of all restarts."""
    levels, m = result["models"]["relu"], result["parameters"]["m"]
    p = [level["probability"] for level in levels]
    figure = style.new_figure(height=2.6)
    left, right = figure.subplots(1, 2)
    left.plot(p, [level["n_represented"] for level in levels], "o-", color=style.BLUE, label="features represented")
    left.plot(
        p, [level["n_monosemantic"] for level in levels], "s-", color=style.VERMILION, label="monosemantic neurons"
    )
    left.axhline(m, color=style.GREY, label=f"{m} neurons", **style.REFERENCE_LINE)
    left.set(ylim=(-0.4, 1.5 * result["parameters"]["n"]), ylabel="count")
    left.legend(loc="upper left", bbox_to_anchor=(0.0, 1.02))
    for x, losses in zip(p, arrays["losses"], strict=True):
        right.plot([x] * len(losses), losses, "_", color=style.BLUE, alpha=0.4, rasterized=True)
    right.plot(p, arrays["losses"].min(axis=1), color=style.BLUE, label="best restart")
    right.set(ylabel="loss / loss of the best constant", ylim=(0, None))
    right.legend(loc="lower left")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlim(max(p) * 1.2, min(p) / 1.2)
        axes.set_xticks(p, [f"{value:g}" for value in p])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", rotation=45)
        axes.set_xlabel("feature probability p (sparser to the right)")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"weights": weights(result, arrays), "solutions": solutions(result, arrays)}
