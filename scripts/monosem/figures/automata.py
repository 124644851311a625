"""Figures of automata: graphs with the text on which they run, and transitions beside controls."""

from collections.abc import Mapping
from typing import Any

import networkx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from scripts.monosem.figures import style

SUBJECTS = {
    "latents": ("latents", style.OURS),
    "permuted_model": ("permuted model's dictionary", style.GREY),
    "permuted_targets": ("targets of another latent", style.GREY),
    "shuffled_next": ("next tokens shuffled", style.GREY),
}
LONGEST_LABEL = 17
"""Characters."""
STATES = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.PURPLE, style.SKY)
"""Colours of the latents of an automaton, in its order."""


def transitions(document: Mapping[str, Any]) -> Figure:
    """Lift of the transitions (left), and probability with and without the source (right), beside the controls."""
    figure = style.new_figure(height=2.1)
    axes = figure.subplots(1, 2, sharey=True)
    shown = [name for name in SUBJECTS if name in document["subjects"]]
    titles = {"lift": "lift of the transitions", "probability_ratio": "probability, clean / source ablated"}
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        for number, name in enumerate(shown):
            row, colour = document["subjects"][name][key], SUBJECTS[name][1]
            if row["value"] is not None and row["low"] is not None:
                errors = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
                axis.errorbar(row["value"], -number, xerr=errors, fmt="o", color=colour, capsize=2)
        axis.axvline(1, color="black", **style.REFERENCE_LINE)
        if key == "lift":
            axis.set_xscale("log")
            style.log_axis(axis.xaxis)
        axis.set(title=title, ylim=(-len(shown) + 0.5, 0.5))
    axes[0].set(yticks=[-n for n in range(len(shown))], yticklabels=[SUBJECTS[name][0] for name in shown])
    return figure


def _places(n: int) -> np.ndarray:
    """Corners of a polygon; one point in the middle."""
    if n == 1:
        return np.zeros((1, 2))
    angle = np.pi / 2 + 2 * np.pi * np.arange(n) / n if n > 2 else np.pi * np.arange(2)[::-1]
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _chain(n: int) -> np.ndarray:
    """Points in a row, slightly up and down."""
    return np.stack([np.linspace(-1, 1, n), 0.35 * (-1.0) ** np.arange(n)], axis=1)


def _graph(axis: Axes, row: Mapping[str, Any]) -> None:
    graph, n = networkx.DiGraph(), len(row["nodes"])
    graph.add_nodes_from(row["nodes"])
    graph.add_edges_from((e["source"], e["target"]) for e in row["edges"] if e["source"] != e["target"])
    places = _chain(n) if row["kind"] == "chain" else _places(n)
    where = dict(zip(row["nodes"], places, strict=True))
    colours = [STATES[number % len(STATES)] for number in range(n)]
    networkx.draw_networkx_nodes(graph, where, ax=axis, node_color=colours, node_size=130)
    networkx.draw_networkx_edges(
        graph, where, ax=axis, node_size=130, arrowsize=9, connectionstyle="arc3,rad=0.18", edge_color="#555555"
    )
    for edge in row["edges"]:
        if edge["source"] == edge["target"]:
            x, y = where[edge["source"]]
            ends = ((x - 0.1, y + 0.3), (x + 0.1, y + 0.3))
            style_of_arc = {"connectionstyle": "arc3,rad=-2.2", "arrowstyle": "-|>", "mutation_scale": 9}
            axis.add_patch(FancyArrowPatch(*ends, color="#555555", shrinkA=0, shrinkB=0, **style_of_arc))
    for (x, y), latent, label in zip(places, row["nodes"], row["labels"], strict=True):
        above = y > 0.1
        text = f"{latent}: {label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + '…'}"
        axis.annotate(
            text, (x, y), (0, 9 if above else -9), textcoords="offset points", ha="center",
            va="bottom" if above else "top", fontsize=6,
        )  # fmt: skip
    for text in axis.texts:
        text.set_in_layout(False)
    axis.set(xlim=(-1.7, 1.7), ylim=(-1.9, 1.9))
    axis.set_axis_off()


def _passage(axis: Axes, row: Mapping[str, Any]) -> None:
    """The passage, each token on the colour of the latent that fires there; lines are broken by hand."""
    colour = {latent: STATES[number % len(STATES)] for number, latent in enumerate(row["nodes"])}
    x, y = 0.0, 0.9
    for token, state in zip(row["passage"]["tokens"], row["passage"]["states"], strict=True):
        width = 0.0143 * len(token) + 0.011
        if x + width > 1:
            x, y = 0.0, y - 0.2
        box = (
            {"boxstyle": "square,pad=0.12", "lw": 0, "facecolor": colour[state], "alpha": 0.45}
            if state is not None
            else None
        )
        axis.text(x, y, token, family="monospace", fontsize=7, bbox=box, va="center", clip_on=False)
        x += width
    lifts = [f"{e['source']}→{e['target']}: {e['lift']['value']:.0f} ({e['lift']['low']:.0f}–{e['lift']['high']:.0f})"
             for e in row["edges"]]  # fmt: skip
    axis.text(0, y - 0.3, "lift " + ", ".join(lifts[:3]), fontsize=6.5, color=style.GREY, va="center")
    for text in axis.texts:
        text.set_in_layout(False)
    axis.set(xlim=(0, 1), ylim=(-0.2, 1.1))
    axis.set_axis_off()


def graphs(document: Mapping[str, Any]) -> Figure:
    """Automata (left), each beside a passage on which it runs (right)."""
    shown = document["automata"]
    if not shown:
        return style.empty_figure("no edge was confirmed by transitions and by ablation")
    figure = style.new_figure(height=1.15 * len(shown))
    rows = figure.subplots(len(shown), 2, squeeze=False, width_ratios=(1, 1.6))
    for (left, right), row in zip(rows, shown, strict=True):
        _graph(left, row)
        _passage(right, row)
    return figure
