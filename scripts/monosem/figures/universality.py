"""Figures of universality: two seeds of a model, matched unit by unit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.monosem.figures import style

LINES = {
    "latents": ("latents", style.OURS, "-"),
    "neurons": ("neurons", style.BASELINE, "-"),
    "latents_permuted_model": ("latents, permuted model", style.OURS, "--"),
    "neurons_permuted_model": ("neurons, permuted model", style.BASELINE, "--"),
    "latents_permuted_tokens": ("latents, permuted tokens", style.OURS, ":"),
    "neurons_permuted_tokens": ("neurons, permuted tokens", style.BASELINE, ":"),
}
"""Subject -> label, colour, line."""
BINS = np.linspace(-0.1, 1.0, 56)


def correlations(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Histogram of the correlation of each unit with its best match (left), and medians with intervals (right)."""
    figure = style.new_figure(height=2.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    shown = {name: line for name, line in LINES.items() if name in document["subjects"]}
    for name, (label, colour, line) in shown.items():
        values = arrays[f"{name}.activation"]
        if "permuted_tokens" not in name:
            weights = np.full(len(values), 1 / max(len(values), 1))
            left.hist(values, BINS, weights=weights, histtype="step", color=colour, ls=line, lw=1.4, label=label)
    left.set(xlabel="correlation with the best match", ylabel="share of the units", xlim=(BINS[0], 1))
    left.legend(loc="upper right")
    for row, (name, (_, colour, line)) in enumerate(shown.items()):
        each = document["subjects"][name]["median_correlation"]
        if each["value"] is None:
            continue
        errors = [[each["value"] - each["low"]], [each["high"] - each["value"]]]
        face = colour if line == "-" else "white"
        right.errorbar(each["value"], -row, xerr=errors, fmt="o", color=colour, mfc=face, capsize=2)
    right.set(xlabel="median, with 95 % interval", yticks=[-row for row in range(len(shown))])
    right.set(yticklabels=[label for label, *_ in shown.values()], xlim=(min(-0.05, right.get_xlim()[0]), 1))
    return figure


def similarity(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Correlation of logit weights, and of attributions, against that of activations: a point per latent."""
    figure = style.new_figure(height=3.2)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    x = arrays["latents.activation"]
    for axis, (key, title) in zip(axes, {"logit": "logit weights", "attribution": "attributions"}.items(), strict=True):
        axis.scatter(x, arrays[f"latents.{key}"], s=3, alpha=0.25, lw=0, color=style.OURS, rasterized=True)
        axis.plot([0, 1], [0, 1], color=style.GREY, **style.REFERENCE_LINE)
        axis.set(title=f"correlation of {title}", xlabel="correlation of activations")
    for name, row in document["cases"].items():
        for axis, value in zip(axes, (row["logit_correlation"], row["attribution_correlation"]["value"]), strict=True):
            colour = style.LABELS.get(name, "black")
            axis.plot(row["correlation"]["value"], value, "D", color=colour, mec="black", ms=6, label=name)
    if document["cases"]:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _scatter(axis: Axes, pair: np.ndarray, colours: Any) -> None:
    axis.scatter(*pair, s=5, alpha=0.5, lw=0, c=colours, rasterized=True)
    axis.grid(True)


def matched_contexts(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Activations (top) and logit weights (bottom) of each context's latent and its match in the other seed."""
    cases = document["cases"]
    if not cases:
        return style.empty_figure("no labelled context has a latent that fires often enough here")
    figure = style.new_figure(height=4.0)
    axes = figure.subplots(2, len(cases), squeeze=False)
    palette = np.array(list(style.LABELS.values()))
    for column, (name, row) in enumerate(cases.items()):
        above, below = axes[:, column]
        _scatter(above, arrays[f"{name}.activations"], palette[arrays[f"{name}.labels"]])
        _scatter(below, arrays[f"{name}.logits"], style.GREY)
        above.set_title(f"{name}\nactivations: {row['correlation']['value']:.2f}", fontsize=8)
        logit = row["logit_correlation"]
        below.set_title(f"logit weights: {logit:.2f}" if logit is not None else "no logit weights", fontsize=8)
        for axis in (above, below):
            axis.set(xlabel=f"A, latent {row['latent']}", ylabel=f"B, latent {row['match']}")
    return figure
