"""Figures of correlated and anticorrelated features: arrangements of pairs, local bases, and the collapse to PCA."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy import geometry

SETS = (style.BLUE, style.VERMILION, style.GREEN)
"""Colour of the first, second, third pair."""
PANELS = {
    "correlated": "two correlated pairs",
    "anticorrelated": "two anticorrelated pairs",
    "hexagon": "three correlated pairs",
    "independent": "independent (control)",
}
N_SHOWN = 6
"""Models of the collapse that are drawn."""


def vectors(axes: Axes, W: Float[np.ndarray, "2 n"]) -> None:
    """Directions of the features, a colour for each pair."""
    for feature, (x, y) in enumerate(W.T):
        colour = SETS[feature // 2]
        axes.plot([0, x], [0, y], color=colour, linewidth=1.5)
        axes.plot(x, y, "o", color=colour, markersize=4)
    style.bare(axes).set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")


def arrangements(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Pairs in two dimensions above; WᵀW of two large sets below, correlated and independent.

    Arrays: {name}_W [2, n] of PANELS, bases_{relation}_W [m, n].
    """
    figure = style.new_figure(height=4.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.0, 1.35))
    for axes, (name, title) in zip(upper.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        vectors(axes, arrays[f"{name}_W"])
        axes.set_title(title, fontsize=8)
    grid = lower.subplots(1, 2)
    size = result["parameters"]["bases"]["size"]
    for axes, (relation, title) in zip(
        grid,
        (("correlated", "two correlated sets: WᵀW"), ("independent", "independent features (control)")),
        strict=True,
    ):
        G = geometry.gram(arrays[f"bases_{relation}_W"])
        image = axes.imshow(G, cmap=style.DIVERGING, norm=style.SIGNED)
        for border in np.arange(size, len(G), size) - 0.5:
            axes.axhline(border, color="black", linewidth=0.7)
            axes.axvline(border, color="black", linewidth=0.7)
        style.bare(axes).set(xlabel="feature", ylabel="feature")
        axes.set_title(title, fontsize=8)
    lower.colorbar(image, ax=grid, fraction=0.03, pad=0.02, extend="both").set_label("entry of WᵀW")
    return figure


def collapse(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Collapsed pairs against density above, the features of some models below.

    Arrays: collapse_probabilities [level], collapse_correlated_W [level, 2, 6].
    """
    p = arrays["collapse_probabilities"]
    figure = style.new_figure(height=3.7)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.5, 1.0))
    axes = upper.subplots()
    for relation, colour, marker, label in (
        ("correlated", style.BLUE, "o", "three correlated pairs"),
        ("independent", style.GREY, "s", "six independent features (control)"),
    ):
        counts = [row[relation] for row in result["collapsed_by_density"]]
        axes.plot(p, counts, color=colour, marker=marker, label=label, drawstyle="steps-mid")
    named = [(row["probability"], row["published"]) for row in result["collapsed_by_density"]]
    axes.plot(*zip(*named, strict=True), "o", color="black", markersize=8, markerfacecolor="none", label="published")
    axes.set(xscale="log", xlim=(p[0] * 1.1, p[-1] / 1.1), ylim=(-0.2, 3.4), ylabel="collapsed pairs")
    axes.set_xticks(p, [f"{value:g}".removeprefix("0") for value in p])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("probability that a pair is on (sparser to the right)")
    axes.legend(loc="upper right")
    shown = np.unique(np.linspace(0, len(p) - 1, N_SHOWN).round().astype(int))
    for axes, level in zip(lower.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        vectors(axes, arrays["collapse_correlated_W"][level])
        axes.set_title(f"p = {p[level]:g}", fontsize=8)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"arrangements": arrangements(result, arrays), "collapse": collapse(result, arrays)}
