"""Figures of models that compute the absolute value: what neurons read, and how they share features."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy import neuron_roles

SHADES = 5
"""Features in a bar that get a shade of their own, largest first; the others are grey."""


def _stack(axes: Axes, W1: Float[np.ndarray, "m n"]) -> None:
    """One bar per neuron: input weights stacked from the largest down, positive up, negative down."""
    pure = neuron_roles.purity(W1)
    order = np.argsort(-pure)
    for place, neuron in enumerate(order):
        weights = W1[neuron]
        colour = style.BLUE if pure[neuron] >= neuron_roles.MONOSEMANTIC else style.VERMILION
        ends = {1.0: 0.0, -1.0: 0.0}
        ranked = np.argsort(-np.abs(weights))
        for rank, feature in enumerate(ranked[:SHADES]):
            sign = float(np.sign(weights[feature])) or 1.0
            axes.bar(place, weights[feature], 0.9, bottom=ends[sign], color=colour, alpha=1.0 - 0.17 * rank, zorder=1,
                     linewidth=0)  # fmt: skip
            ends[sign] += weights[feature]
        for sign in ends:
            rest = weights[ranked[SHADES:]]
            rest = rest[np.sign(rest) == sign].sum()
            axes.bar(place, rest, 0.9, bottom=ends[sign], color="#CCCCCC", linewidth=0, zorder=1)
    axes.set_rasterization_zorder(1.5)  # hundreds of bars: one image in the svg instead
    axes.axhline(0.0, color="black", linewidth=0.5, zorder=2)
    axes.grid(axis="x", visible=False)
    axes.set_xticks([])


def neurons(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Input weights W1 [level, m, n] of every neuron, stacked, at every level."""
    levels = result["models"]["relu"]
    columns = min(2, len(levels))
    rows = -(-len(levels) // columns)
    figure = style.new_figure(height=0.5 + 1.35 * rows, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(levels) :]:
        axes.set_visible(False)
    for index, (axes, level) in enumerate(zip(grid, levels, strict=False)):
        _stack(axes, arrays["W1"][index])
        axes.set_title(f"p = {level['probability']:g}")
        if index % columns == 0:
            axes.set_ylabel("W₁, stacked")
        if index + columns >= len(levels):
            axes.set_xlabel("neuron, purest first")
    figure.legend(
        handles=[
            Patch(
                color=style.BLUE,
                label=f"monosemantic (one feature has ≥ {neuron_roles.MONOSEMANTIC:.0%} of Σw²)",
            ),
            Patch(color=style.VERMILION, label="polysemantic"),
            Patch(color="#CCCCCC", label=f"all features after the {SHADES} largest"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


def sharing(result: dict[str, Any]) -> Figure:
    """Share of monosemantic neurons and loss beside the bound without superposition, against sparsity."""
    levels, control = result["models"]["relu"], result["models"]["linear"]
    p = [level["probability"] for level in levels]
    figure = style.new_figure(height=2.8)
    left, right = figure.subplots(1, 2)
    left.plot(p, [level["monosemantic_share"] for level in levels], "o-", color=style.BLUE)
    left.set(ylim=(-0.04, 1.06), ylabel="share of monosemantic neurons")
    right.plot(p, [level["unexplained"] for level in levels], "o-", color=style.BLUE, label="ReLU hidden layer")
    right.plot([level["probability"] for level in control], [level["unexplained"] for level in control], "s",
               color=style.VERMILION, label="linear hidden layer (control)")  # fmt: skip
    bounds = [level["loss_without_superposition"] * level["unexplained"] / level["loss"] for level in levels]
    if max(bounds) > 0:
        right.plot(p, bounds, color=style.GREY, label="least without superposition", **style.REFERENCE_LINE)
    right.set_yscale("log")
    right.set_ylabel("loss / loss of the best constant")
    figure.legend(loc="outside lower center", ncols=3)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlim(max(p) * 1.4, min(p) / 1.4)
        axes.set_xticks(p, [f"{value:g}" for value in p])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("feature probability p (sparser to the right)")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"neurons": neurons(result, arrays), "sharing": sharing(result)}
