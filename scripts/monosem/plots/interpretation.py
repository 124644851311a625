"""Figures of what single latents and neurons respond to, on text whose planted contexts are labelled token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from scripts.monosem.plots import style


@dataclass(frozen=True)
class Histogram:
    """How often a unit takes which activation, by the label of the token; zeros are not counted."""

    name: str  # "latent 12" or "neuron 3"
    context: str  # the planted context that the unit was chosen for
    edges: Float[np.ndarray, "bins+1"]  # activation
    counts: Int[np.ndarray, "labels bins"]  # tokens


def _draw_histogram(axis, histogram: Histogram, labels: Sequence[str]) -> None:
    widths, bottom = np.diff(histogram.edges), np.zeros(histogram.counts.shape[1])
    order = [i for i, label in enumerate(labels) if label != histogram.context]
    for index in [labels.index(histogram.context), *order]:
        axis.bar(
            histogram.edges[:-1], histogram.counts[index], widths, bottom=bottom, align="edge",
            color=style.LABELS[labels[index]], label=labels[index], lw=0,
        )  # fmt: skip
        bottom = bottom + histogram.counts[index]
    firing = histogram.counts.sum()
    inside = histogram.counts[labels.index(histogram.context)].sum()
    axis.set_xlim(0, histogram.edges[-1])
    share = f"{100 * inside / firing:.0f} % in context" if firing else "never fires"
    axis.annotate(f"{histogram.name}\n{share}", (0.97, 0.93), xycoords="axes fraction", ha="right", va="top")
    axis.grid(axis="x", visible=False)


def activation_histograms(pairs: Sequence[tuple[Histogram, Histogram]], labels: Sequence[str]) -> Figure:
    """Activations of the best latent (left) and the best neuron (right) of each context, stacked by label."""
    figure, axes = plt.subplots(
        len(pairs), 2, figsize=(style.size(1.0, 1.0)[0], 0.5 + 1.45 * len(pairs)), layout="constrained", squeeze=False
    )
    for row, pair in zip(axes, pairs, strict=True):
        for axis, histogram in zip(row, pair, strict=True):
            _draw_histogram(axis, histogram, labels)
        row[0].set_ylabel(f"{pair[0].context}\ntokens")
    axes[0, 0].set_title("best latent")
    axes[0, 1].set_title("best neuron")
    for axis in axes[-1]:
        axis.set_xlabel("activation (when above zero)")
    handles, names = axes[0, 0].get_legend_handles_labels()
    in_order = sorted(zip(names, handles, strict=True), key=lambda pair: labels.index(pair[0]))
    figure.legend([h for _, h in in_order], [n for n, _ in in_order], loc="outside lower center", ncols=len(labels))
    return figure


def specificity(pairs: Sequence[tuple[Histogram, Histogram]], labels: Sequence[str], least: int = 5) -> Figure:
    """Share of firing tokens that are in context, as the activation rises; bins of fewer than `least` tokens left out."""
    figure, axes = plt.subplots(
        1, len(pairs), figsize=style.size(1.0, 0.36), layout="constrained", sharey=True, squeeze=False
    )
    for axis, pair in zip(axes[0], pairs, strict=True):
        for histogram, colour, marker in zip(pair, (style.OURS, style.BASELINE), "os", strict=True):
            total = histogram.counts.sum(0)
            shown = total >= least
            centres = (histogram.edges[:-1] + histogram.edges[1:])[shown] / 2 / histogram.edges[-1]
            share = histogram.counts[labels.index(histogram.context)][shown] / total[shown]
            axis.plot(centres, share, marker=marker, color=colour, ms=3.5, lw=1.3, label=histogram.name.split()[0])
        axis.set(title=pair[0].context, xlim=(0, 1), ylim=(-0.03, 1.03))
        axis.set_xticks([0, 0.5, 1], ["0", "½", "max"])
    axes[0, 0].set_ylabel("share of tokens in context")
    figure.supxlabel("activation of the unit")
    axes[0, -1].legend(loc="lower right")
    return figure


def precision_recall(rows: Sequence[Mapping]) -> Figure:
    """Precision, recall and correlation of the best latent and the best neuron of each context.

    Args:
        rows: {"context", "latent": {"precision", "recall", "pearson"}, "neuron": the same}; null where not defined.
    """
    measures = {"precision": "precision", "recall": "recall", "pearson": "correlation with the label"}
    figure, axes = plt.subplots(
        1, 3, figsize=(style.size(1.0, 1.0)[0], 0.9 + 0.42 * len(rows)), layout="constrained", sharey=True
    )
    for axis, (key, title) in zip(axes, measures.items(), strict=True):
        for y, row in enumerate(rows):
            ends = [row[kind][key] for kind in ("neuron", "latent")]
            if None not in ends:
                axis.plot(ends, [y, y], color=style.GREY, lw=1, zorder=1)
            for kind, colour, marker in (("neuron", style.BASELINE, "s"), ("latent", style.OURS, "o")):
                if row[kind][key] is not None:
                    axis.plot(row[kind][key], y, marker, color=colour, ms=7, label=f"best {kind}" if y == 0 else None)
        axis.set(xlim=(-0.04, 1.04), xlabel=title, yticks=range(len(rows)))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticklabels([row["context"] for row in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def token_entropy(groups: Mapping[str, Float[np.ndarray, "units"]]) -> Figure:
    """Histogram of token-distribution entropies (nats), one row per group of units, with the median marked."""
    figure, axes = plt.subplots(
        len(groups), 1, figsize=(style.size(1.0, 1.0)[0], 0.7 + 1.05 * len(groups)), layout="constrained", sharex=True,
        squeeze=False,
    )  # fmt: skip
    top = max((float(values.max()) for values in groups.values() if len(values)), default=1.0)
    bins = np.linspace(0, np.ceil(top), 33)
    for axis, (name, values) in zip(axes[:, 0], groups.items(), strict=True):
        colour = style.BASELINE if "neuron" in name else style.OURS
        if "control" in name:
            colour = style.GREY
        axis.hist(values, bins, weights=np.full(len(values), 1 / max(len(values), 1)), color=colour, alpha=0.85)
        if len(values):
            median = float(np.median(values))
            axis.axvline(median, color="black", lw=1.2)
            axis.annotate(f"median {median:.1f}", (median, 0.9), xycoords=("data", "axes fraction"),
                          xytext=(4, 0), textcoords="offset points", va="top")  # fmt: skip
        axis.set_title(f"{name} ({len(values):,} units)", loc="left", fontsize=9)
        axis.yaxis.set_major_formatter(style.percent_formatter())
        axis.grid(axis="x", visible=False)
    axes[len(axes) // 2, 0].set_ylabel("share of units")
    axes[-1, 0].set_xlabel("entropy of the tokens a unit fires on (nats); left: one token, right: many")
    return figure
