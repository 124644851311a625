"""Figures of the parts of a recipe: differences paired by seed, dead latents over training, shrinkage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style
from scripts.monosem.figures.fidelity import MARKERS
from scripts.monosem.sae.architectures import ARCHITECTURES

LABELS = {
    "ce_increase_nats": "loss added (nats)",
    "explained_variance": "variance explained",
    "l0": "L0",
    "frac_alive": "alive share",
}


def compared(document: Mapping[str, Any]) -> dict[str, Any]:
    """The sweeps of a fidelity.json that have something to compare."""
    return {name: variants for name, variants in document.get("sweeps", {}).items() if len(variants) > 1}


def ablation(document: Mapping[str, Any]) -> Figure:
    """Each variant's difference to the first one of its sweep: every seed a dot, mean and 95 % interval a line."""
    rows = [
        (name, variant, row)
        for name, variants in compared(document).items()
        for variant, row in list(variants.items())[1:]
    ]
    figure = style.new_figure(height=0.9 + 0.34 * len(rows))
    axes = figure.subplots(1, len(LABELS), sharey=True, squeeze=False)[0]
    for axis, (measure, label) in zip(axes, LABELS.items(), strict=True):
        for y, (name, _, row) in enumerate(rows):
            first = next(iter(document["sweeps"][name].values()))
            differences = np.subtract(row[measure]["values"], first[measure]["values"])
            if row[measure]["difference_low"] is not None:
                ends = (row[measure]["difference_low"], row[measure]["difference_high"])
                axis.plot(ends, [y, y], color=style.OURS, lw=1.4)
            axis.plot(differences, np.full(len(differences), y), "o", color=style.OURS, ms=3.5, alpha=0.6, mew=0)
            axis.plot(row[measure]["difference"], y, "|", color=style.OURS, ms=11, mew=1.6)
        axis.axvline(0, color=style.GREY, lw=0.9, ls=(0, (4, 2)))
        axis.set_xlabel(f"Δ {label}")
        axis.grid(axis="y", visible=False)
        axis.locator_params(axis="x", nbins=4)
    axes[0].set_yticks(range(len(rows)), [f"{name}: {variant}" for name, variant, _ in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def dead_latents(document: Mapping[str, Any], curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Share of dead latents over training, a panel per sweep: mean of the seeds a line, their range a band."""
    sweeps = compared(document)
    columns = min(2, len(sweeps))
    rows = -(-len(sweeps) // columns)
    figure = style.new_figure(height=0.5 + 2.3 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, (name, variants) in zip(axes.flat, sweeps.items(), strict=False):
        for (variant, row), colour in zip(variants.items(), style.CYCLE, strict=False):
            lines = [curves[run] for run in row["runs"]]
            vectors = [line["vectors"] / 1e6 for line in lines[0]]
            shares = np.array([[line["dead_share"] for line in curve] for curve in lines])
            axis.plot(vectors, shares.mean(0), color=colour, label=variant, lw=1.3)
            axis.fill_between(vectors, shares.min(0), shares.max(0), color=colour, alpha=0.18, lw=0)
        axis.set(title=name, xlabel="vectors trained on (millions)", xlim=(0, None), ylim=(0, None))
        style.percent_axis(axis.yaxis)
        axis.legend(loc="best")
    for axis in axes.flat[len(sweeps) :]:
        axis.set_visible(False)
    figure.supylabel("share of dead latents", fontsize="medium")
    return figure


def shrinkage(runs: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Length of the reconstruction relative to the activation, and its bias: 1 means no shrinkage."""
    rows = sorted(runs.items(), key=lambda item: (list(ARCHITECTURES).index(item[1]["architecture"]), item[1]["l0"]))
    figure = style.new_figure(height=0.9 + 0.24 * len(rows))
    axes = figure.subplots(1, 2, sharey=True)
    measures = {
        "l2_ratio": "mean of ‖x̂‖ / ‖x‖",
        "relative_reconstruction_bias": "E‖x̂‖² / E[x·x̂]  (below 1: shrinkage)",
    }
    for axis, (key, label) in zip(axes, measures.items(), strict=True):
        for y, (_, run) in enumerate(rows):
            if run[key] is not None:
                axis.plot(run[key], y, MARKERS[run["architecture"]], color=style.OURS, ms=6, mec="white")
        axis.axvline(1, color=style.GREY, lw=0.9, ls=(0, (4, 2)))
        axis.set_xlabel(label)
    axes[0].set_yticks(range(len(rows)), [f"{name} (L0 {run['l0']:.0f})" for name, run in rows])
    axes[0].tick_params(axis="y", labelsize=7)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure
