"""Figure of the vulnerability to attacks beside the amount of superposition."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays

NAMES = {
    "plain": ("trained on clean inputs", style.BLUE, "o"),
    "adversarial": ("trained against attacks", style.GREEN, "^"),
    "orthogonal": ("no superposition (control)", style.VERMILION, "s"),
}


def vulnerability(result: dict[str, Any]) -> Figure:
    """Vulnerability and features per dimension against sparsity, and one against the other."""
    figure = style.new_figure(height=2.7)
    left, middle, right = figure.subplots(1, 3)
    lowest, highest = 0.0, 1.0
    for name, levels in result["models"].items():
        words, colour, marker = NAMES[name]
        p = [level["probability"] for level in levels]
        values = [level["vulnerability"] for level in levels]
        shared = [level["features_per_dimension"] for level in levels]
        left.plot(p, values, marker=marker, color=colour, label=words)
        middle.plot(p, shared, marker=marker, color=colour)
        right.plot(shared, values, marker, color=colour)
        lowest, highest = min(lowest, *values), max(highest, *values, *shared)
    right.plot([1, highest], [1, highest], color=style.GREY, **style.REFERENCE_LINE)
    right.annotate("equal", (highest, highest), xytext=(-4, 0), textcoords="offset points", ha="right", va="top",
                   color=style.GREY, fontsize=7.5)  # fmt: skip
    for axes in (left, middle):
        axes.set_xscale("log")
        axes.set_xlim(max(p) * 1.4, min(p) / 1.4)
        axes.set_xticks(p, [f"{value:g}" for value in p])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", rotation=45)
        axes.set_xlabel("feature probability p")
        axes.set_ylim(1.15 * lowest, 1.08 * highest)
    left.set_ylabel("vulnerability (loss added,\northogonal model = 1)")
    middle.set_ylabel("features per dimension, 1/D*")
    right.set(xlabel="features per dimension, 1/D*", ylabel="vulnerability", xlim=(0, 1.08 * highest),
              ylim=(1.15 * lowest, 1.08 * highest))  # fmt: skip
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"vulnerability": vulnerability(result)}
