"""Figure of absorption: a parent's latent falls silent where a child is on."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays

DATA = {
    "hierarchy": ("hierarchy: children only with their parent", style.BLUE),
    "independent": ("independent features (control)", style.GREY),
}


def absorption(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Absorption per architecture, every seed a point, above cosines of features with their matched latents.

    Arrays: {name}_{data} [feature, latent], the cosines, matched latents in the order of the features.
    """
    names = list(result["models"])
    parents = result["parameters"]["parents"]
    figure = style.new_figure(height=2.0 + 1.9 * len(names))
    grid = figure.add_gridspec(1 + len(names), 2, height_ratios=[0.9] + [1.2] * len(names))
    axes = figure.add_subplot(grid[0, :])
    for offset, (data, (words, colour)) in zip((-0.19, 0.19), DATA.items(), strict=True):
        place = np.arange(len(names)) + offset
        axes.barh(place, [result["models"][name][data]["absorption"] for name in names], 0.34, color=colour, alpha=0.6,
                  label=words)  # fmt: skip
        for y, name in zip(place, names, strict=True):
            seeds = [run["absorption"] for run in result["runs"] if (run["name"], run["data"]) == (name, data)]
            axes.plot(seeds, [y] * len(seeds), "o", color=colour, markersize=3.5)
    bar = next(iter(result["acceptance"].values()))["bound"]
    axes.axvline(bar, color="black", label="bar", **style.REFERENCE_LINE)
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.grid(axis="y", visible=False)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(min(-0.05, axes.get_xlim()[0]), 1.0)
    axes.set(
        ylim=(len(names) - 0.5, -0.5), xlabel="share of the parent's activation that goes missing where a child is on"
    )
    figure.legend(loc="outside lower center", ncols=3)
    for row, name in enumerate(names):
        for column, data in enumerate(DATA):
            panel = figure.add_subplot(grid[1 + row, column])
            image = panel.imshow(arrays[f"{name}_{data}"], cmap=style.DIVERGING, norm=style.SIGNED, aspect="auto")
            for line in (panel.axvline, panel.axhline):
                line(parents - 0.5, color="black", linewidth=0.6)
            panel.grid(False)
            panel.set_title(f"{name}, {data}")
            if column == 0:
                panel.set_ylabel("feature\n(parents, then children)")
            if row == len(names) - 1:
                panel.set_xlabel("matched latent")
    figure.colorbar(image, ax=figure.axes[1:], fraction=0.02, pad=0.01, aspect=40).set_label("cosine")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"absorption": absorption(result, arrays)}
