"""Figures of superposition across sparsities: Gram matrices, lengths of features, how many are represented."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.toy import geometry

NAMES = {"relu": "ReLU model", "linear": "linear model"}
INTERFERENCE = Normalize(0.0, 2.0)
"""Scale of Σ (Ŵᵢ·Wⱼ)²."""


def _level_title(p: float) -> str:
    return f"p = {p:g}"


def weights(arrays: Arrays) -> Figure:
    """WᵀW of every level, ReLU above linear, with the bias as a column beside; one colour scale for all.

    Arrays: {output}_W [level, m, n], {output}_b [level, n].
    """
    levels = arrays["probabilities"]
    figure = style.new_figure(height=2.6, layout=None)
    left, right, pitch = 0.055, 0.905, (0.905 - 0.055) / len(levels)
    for row, (output, name) in enumerate(NAMES.items()):
        bottom = (0.52, 0.08)[row]
        for column, p in enumerate(levels):
            W, b = arrays[f"{output}_W"][column], arrays[f"{output}_b"][column]
            x = left + column * pitch
            matrix = style.bare(figure.add_axes((x, bottom, 0.80 * pitch, 0.38)))
            bias = style.bare(figure.add_axes((x + 0.82 * pitch, bottom, 0.08 * pitch, 0.38)))
            matrix.imshow(geometry.gram(W), cmap=style.DIVERGING, norm=style.SIGNED, aspect="auto")
            bias.imshow(b[:, None], cmap=style.DIVERGING, norm=style.SIGNED, aspect="auto")
            if row == 0:
                matrix.set_title(_level_title(p), pad=4)
            if column == 0:
                matrix.set_ylabel(f"{name}\nfeature")
            if row == 1:
                matrix.set_xlabel("feature", labelpad=3)
                bias.set_xlabel("b", labelpad=3)
    bar = figure.colorbar(
        ScalarMappable(style.SIGNED, style.DIVERGING),
        cax=figure.add_axes((right + 0.008, 0.08, 0.012, 0.82)),
        extend="both",
    )
    bar.set_label("entry of WᵀW; bias b", labelpad=2)
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    return figure


def norms(arrays: Arrays) -> Figure:
    """‖W_i‖ of every feature as bars, coloured by interference; arrays: {output}_W [level, m, n]."""
    levels = arrays["probabilities"]
    figure = style.new_figure(height=3.5, layout=None)
    grid = figure.subplots(2, len(levels), sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(left=0.085, right=0.895, bottom=0.13, top=0.93, wspace=0.14, hspace=0.1)
    palette = ScalarMappable(INTERFERENCE, style.SEQUENTIAL)
    for row, (output, name) in enumerate(NAMES.items()):
        lengths, shared = geometry.norms(arrays[f"{output}_W"]), geometry.interference(arrays[f"{output}_W"])
        index = np.arange(lengths.shape[1])
        for column, p in enumerate(levels):
            axes: Axes = grid[row, column]
            many = len(index) > 40
            colours = palette.to_rgba(shared[column])
            axes.barh(index, lengths[column], height=1.0 if many else 0.8, color=colours, rasterized=many)
            axes.axvline(geometry.REPRESENTED_NORM, color=style.GREY, **style.REFERENCE_LINE)
            axes.grid(axis="y", visible=False)
            if row == 0:
                axes.set_title(_level_title(p), pad=4)
            if column == 0:
                axes.set_ylabel(f"{name}\nfeature")
    grid[0, 0].set(ylim=(index[-1] + 0.7, -0.7), xticks=[0, 0.5, 1], xticklabels=["0", ".5", "1"])
    label = "length ‖Wᵢ‖ (features from most to least important; dashed: counted as represented)"
    figure.text(0.49, 0.02, label, ha="center", fontsize=style.RC["axes.labelsize"])
    bar = figure.colorbar(palette, cax=figure.add_axes((0.91, 0.13, 0.013, 0.8)), extend="max")
    bar.set_label("interference  Σ (Ŵᵢ·Wⱼ)² over j ≠ i")
    return figure


def _sparsity_axis(axes: Axes, levels: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(max(levels) * 1.4, min(levels) / 1.4)
    axes.set_xticks(levels, [f"{p:g}" for p in levels])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("feature probability p (sparser to the right)")


def features_represented(result: dict[str, Any]) -> Figure:
    """Number of features with a direction, and the loss beside the best linear model's, against sparsity."""
    parameters, described = result["parameters"], result["models"]
    n, m = parameters["n"], parameters["m"]
    levels = [level["probability"] for level in described["relu"]]
    figure = style.new_figure(height=2.6)
    left, right = figure.subplots(1, 2)
    for (output, name), colour, marker in zip(NAMES.items(), style.CYCLE, "os", strict=False):
        counts = [level["n_represented"] for level in described[output]]
        losses = [level["loss_over_linear_optimum"] for level in described[output]]
        left.plot(levels, counts, color=colour, marker=marker, label=name)
        right.plot(levels, losses, color=colour, marker=marker, label=name)
    equal = described["relu_equal_importance"][0]
    left.plot(
        equal["probability"], equal["n_represented"], marker="D", linestyle="none", markerfacecolor="white",
        color=style.BLUE, label="ReLU model, equal importances",
    )  # fmt: skip
    for value, text in ((m, f"m = {m} dimensions"), (n, f"n = {n} features")):
        left.axhline(value, color=style.GREY, **style.REFERENCE_LINE)
        left.annotate(text, (0.1, value), xycoords=("axes fraction", "data"), xytext=(0, -5),
                      textcoords="offset points", va="top", color=style.GREY, fontsize=7.5)  # fmt: skip
    right.axhline(1.0, color=style.GREY, **style.REFERENCE_LINE)
    left.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    left.set(ylim=(0, n + 1.5), ylabel=f"features with ‖Wᵢ‖ > {result['represented_norm']:g}")
    left.legend(loc="center left", bbox_to_anchor=(0.0, 0.7))
    right.set(ylim=(0, 1.1), ylabel="loss / loss of the best linear model")
    for axes in (left, right):
        _sparsity_axis(axes, levels)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {
        "weights": weights(arrays),
        "norms": norms(arrays),
        "features-represented": features_represented(result),
    }
