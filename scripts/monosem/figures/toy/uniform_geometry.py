"""Figures of uniform superposition: D* that sticks, D_i that gather at fractions, and the polytopes of some levels."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy import geometry, polytopes
from scripts.monosem.toy.theory import superposition

NAMES = ("alone", *superposition.POLYTOPE_DIMENSIONALITY)
COLOURS = dict(
    zip(NAMES, (style.GREY, style.BLUE, style.GREEN, style.ORANGE, style.VERMILION, style.PURPLE), strict=True)
)
UNKNOWN = "#c9c9c9"
GRAPHS_AT = (0.9, 0.67, 0.5, 0.45, 0.38, 0.33)
"""D* of the levels whose feature graphs are drawn; the nearest are taken."""


def _axis(axes: Axes, inverse: Float[np.ndarray, " level"]) -> None:
    ticks = [tick for tick in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20) if inverse[0] <= tick <= inverse[-1] * 1.001]
    axes.set(xscale="log", xlim=(inverse[0] / 1.05, inverse[-1] * 1.05), xlabel="1 / p  (sparser to the right)")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)


def _legend(figure: Figure) -> None:
    """Colours of the polytopes."""
    shown = {**{name: COLOURS[name] for name in NAMES}, "no known polytope": UNKNOWN}
    handles = [Line2D([], [], marker="o", linestyle="none", color=c, label=n, markersize=4) for n, c in shown.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.1, columnspacing=1.0)


def dimensionality(result: dict[str, Any], arrays: Arrays) -> Figure:
    """D* of every level above, D_i of every represented feature below, coloured by the polytope that it is part of.

    Arrays: probabilities and dimensions_per_feature [level], W [level, m, n], D and membership [level, n].
    """
    inverse = 1.0 / arrays["probabilities"]
    figure = style.new_figure(height=5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.7))
    upper.plot(inverse, arrays["dimensions_per_feature"], color=style.BLUE, marker="o")
    for value in (1.0, 0.5):
        upper.axhline(value, color=style.GREY, **style.REFERENCE_LINE)
    upper.set(ylim=(0, 1.1), ylabel="D* = m / ‖W‖²\n(dimensions per feature)")
    rng = np.random.default_rng(0)
    step = np.log(inverse[1] / inverse[0]) if len(inverse) > 1 else 0.1
    represented = geometry.norms(arrays["W"]) > geometry.REPRESENTED_NORM
    x = np.broadcast_to(inverse[:, None], represented.shape) * np.exp(
        0.3 * step * rng.uniform(-1, 1, represented.shape)
    )
    for index, name in [(-1, "none"), *enumerate(NAMES)]:
        chosen = represented & (arrays["membership"] == index)
        colour = COLOURS.get(name, UNKNOWN)
        lower.plot(x[chosen], arrays["D"][chosen], "o", color=colour, markersize=1.8, alpha=0.8, rasterized=True,
                   zorder=2 if name == "none" else 3)  # fmt: skip
    for name, value in polytopes.LINES.items():
        lower.axhline(value, color="black", linewidth=0.5, zorder=1)
        lower.annotate(name, (1.005, value), xycoords=("axes fraction", "data"),
                       va="top" if name == "3/8" else "center", fontsize=7.5)  # fmt: skip
    lower.set(ylim=(0, 1.05), ylabel="dimensionality Dᵢ of each feature")
    _axis(lower, inverse)
    upper.set_xlabel("")
    _legend(figure)
    return figure


def _layout(size: int) -> Float[np.ndarray, "vertex 2"]:
    """Places on a unit circle."""
    angle = 2.0 * np.pi * np.arange(size) / size + np.pi / 2.0
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (0.0 if size == 1 else 1.0)


def _order(cosines: Float[np.ndarray, "k k"]) -> list[int]:
    """Vertices so that neighbours on the circle are those that repel one another least: a pentagon is drawn as one."""
    left, order = set(range(1, len(cosines))), [0]
    while left:
        order.append(max(left, key=lambda vertex: cosines[order[-1], vertex]))
        left.remove(order[-1])
    return order


def _graph(axes: Axes, W: Float[np.ndarray, "m n"]) -> None:
    """Components side by side, largest first; an edge's strength is |W_i·W_j|."""
    parts = polytopes.components(W)
    gram = geometry.gram(W)
    segments, alphas, spots, colours = [], [], [], []
    widths = [1.2 if len(c.features) < 3 else 2.4 if len(c.features) <= 9 else 5.2 for c in parts]
    columns, x, y, tallest = 15.0, 0.0, 0.0, 0.0
    for component, width in zip(parts, widths, strict=True):
        if x + width > columns:
            x, y, tallest = 0.0, y - tallest - 0.4, 0.0
        radius = max(width / 2.0 - 0.35, 0.3)
        order = component.features[_order(gram[np.ix_(component.features, component.features)])]
        place = _layout(len(order)) * radius + (x + width / 2.0, y - max(width, 1.5) / 2.0)
        for a in range(len(order)):
            for b in range(a):
                strength = abs(gram[order[a], order[b]])
                if strength > 0.15:
                    segments.append((place[a], place[b]))
                    alphas.append(min(strength, 1.0))
        spots.append(place)
        colours += [COLOURS.get(component.name, UNKNOWN)] * len(order)
        x, tallest = x + width, max(tallest, max(width, 1.5))
    lines = LineCollection(segments, colors="black", linewidths=0.6, alpha=alphas or None, rasterized=True)
    axes.add_collection(lines)
    if spots:
        where = np.concatenate(spots)
        axes.scatter(where[:, 0], where[:, 1], s=9, c=colours, zorder=3, rasterized=True, linewidths=0)
    # panels are about 1.6 times as wide as high
    scale = max(1.0, (tallest - y + 0.6) / (columns / 1.6))
    axes.set(xlim=(-0.3, (columns + 0.3) * scale), ylim=(-columns / 1.6 * scale, 0.4))


def _chosen(per_feature: Float[np.ndarray, " level"]) -> list[int]:
    """Levels whose D* is nearest to those of GRAPHS_AT."""
    return list(dict.fromkeys(int(np.abs(per_feature - value).argmin()) for value in GRAPHS_AT))


def graphs(result: dict[str, Any], arrays: Arrays) -> Figure:
    """The feature graph of some levels, each component in the colour of its polytope."""
    chosen = _chosen(arrays["dimensions_per_feature"])
    figure = style.new_figure(height=3.6)
    grid = figure.subplots(2, (len(chosen) + 1) // 2, squeeze=False).flat
    for axes, level in zip(grid, chosen, strict=False):
        _graph(axes, arrays["W"][level])
        p, share = arrays["probabilities"][level], arrays["dimensions_per_feature"][level]
        axes.set_title(f"1/p = {1 / p:.2f},  D* = {share:.2f}", fontsize=8)
    for axes in figure.axes:
        style.bare(axes)
        if not axes.collections:
            axes.set_visible(False)
    _legend(figure)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"dimensionality": dimensionality(result, arrays), "graphs": graphs(result, arrays)}
