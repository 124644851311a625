"""Figures of single latents and neurons, on text whose planted contexts are labelled token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from scripts.monosem.figures import style

KINDS = {"latent": (style.OURS, "o"), "neuron": (style.BASELINE, "s")}
LABELS = tuple(style.LABELS)


@dataclass(frozen=True)
class Histogram:
    """Tokens by the activation of a unit and by label; zeros are not counted."""

    name: str
    """For instance "latent 12" or "neuron 3"."""
    context: str
    """The planted context that the unit was chosen for."""
    counts: Int[np.ndarray, "label bin"]
    """Tokens; labels in the order of style.LABELS."""
    edges: Float[np.ndarray, " bin+1"]
    """Activations that bound the bins."""


def pairs(scored: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> list[tuple[Histogram, ...]]:
    """Best latent and best neuron of every context, from contexts.json and contexts.npz."""
    return [
        tuple(
            Histogram(
                f"{kind} {row[kind]['index']}", context, *(arrays[f"{context}.{kind}.{p}"] for p in ("counts", "edges"))
            )
            for kind in KINDS
        )
        for context, row in scored.items()
    ]


def _draw_histogram(axis: Axes, histogram: Histogram) -> None:
    bottom = np.zeros(histogram.counts.shape[1])
    context = LABELS.index(histogram.context)
    for index in [context, *(i for i in range(len(LABELS)) if i != context)]:
        if histogram.counts[index].any():
            top = bottom + histogram.counts[index]
            axis.stairs(top, histogram.edges, baseline=bottom, fill=True, color=style.LABELS[LABELS[index]], lw=0)
            bottom = top
    firing, inside = int(histogram.counts.sum()), int(histogram.counts[context].sum())
    share = f"fires on {firing:,} tokens, {100 * inside / firing:.0f} % in context" if firing else "never fires"
    axis.set_xlim(0, histogram.edges[-1])
    axis.set_ylim(bottom=0)
    axis.set_title(f"{histogram.name}: {share}", fontsize=8)
    axis.grid(axis="x", visible=False)


def activation_histograms(pairs: Sequence[tuple[Histogram, ...]]) -> Figure:
    """Activations of the best latent (left) and the best neuron (right) of each context, stacked by label."""
    if not pairs:
        return style.empty_figure("no planted context occurs in the evaluated text")
    figure = style.new_figure(height=0.7 + 1.5 * len(pairs))
    axes = figure.subplots(len(pairs), 2, squeeze=False)
    for row, pair in zip(axes, pairs, strict=True):
        for axis, histogram in zip(row, pair, strict=True):
            _draw_histogram(axis, histogram)
        row[0].set_ylabel(f"{pair[0].context}\ntokens")
    for axis in axes[-1]:
        axis.set_xlabel("activation, where above zero")
    patches = [Patch(color=colour) for colour in style.LABELS.values()]
    figure.legend(patches, LABELS, loc="outside lower center", ncols=len(LABELS))
    return figure


def specificity(scored: Mapping[str, Mapping[str, Any]], least: int = 5) -> Figure:
    """Share of firing tokens that are in context, as the activation rises; bins of fewer than `least` left out."""
    if not scored:
        return style.empty_figure("no planted context occurs in the evaluated text")
    figure = style.new_figure(height=2.3)
    axes = figure.subplots(1, len(scored), sharey=True, squeeze=False)
    for axis, (context, row) in zip(axes[0], scored.items(), strict=True):
        for kind, (colour, marker) in KINDS.items():
            bins = row[kind]["specificity_by_activation"]
            filled = [b for b in bins if b["n_tokens"] >= least]
            centres = [(b["lower"] + b["upper"]) / 2 / bins[-1]["upper"] for b in filled]
            shares = [b["in_context_share"] for b in filled]
            axis.plot(centres, shares, marker=marker, color=colour, ms=3.5, lw=1.3, label=f"best {kind}")
        axis.axhline(row["share_of_tokens"], color=style.GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
        axis.set(title=context, xlim=(0, 1), ylim=(-0.03, 1.03))
        axis.set_xticks([0, 0.5, 1], ["0", "½", "max"])
    axes[0, 0].set_ylabel("share of tokens in context")
    style.percent_axis(axes[0, 0].yaxis)
    figure.supxlabel("activation of the unit", fontsize="medium")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def precision_recall(scored: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Precision, recall and correlation of the best latent and the best neuron of each context, on the test split."""
    if not scored:
        return style.empty_figure("no planted context occurs in the evaluated text")
    measures = {"precision": "precision", "recall": "recall", "pearson": "correlation with the label"}
    figure = style.new_figure(height=1.1 + 0.36 * len(scored))
    axes = figure.subplots(1, 3, sharey=True)
    for axis, (key, title) in zip(axes, measures.items(), strict=True):
        for y, row in enumerate(scored.values()):
            values = {kind: row[kind]["test"][key] for kind in KINDS}
            if None not in values.values():
                axis.plot(list(values.values()), [y, y], color=style.GREY, lw=1, zorder=1)
            for kind, (colour, marker) in KINDS.items():
                if values[kind] is not None:
                    axis.plot(values[kind], y, marker, color=colour, ms=7, label=f"best {kind}" if y == 0 else None)
        axis.set(xlim=(min(-0.04, axis.get_xlim()[0]), 1.04), xlabel=title, yticks=range(len(scored)))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticklabels(list(scored))
    axes[0].set_ylim(len(scored) - 0.5, -0.5)
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def confusion(scored: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Share of the tokens of every label on which each context's latent fires."""
    if not scored:
        return style.empty_figure("no planted context occurs in the evaluated text")
    rates = np.array([[row["firing_rate"].get(name) or 0.0 for name in LABELS] for row in scored.values()])
    figure = style.new_figure(height=0.9 + 0.42 * len(scored), width=5.2)
    axis = figure.subplots()
    image = axis.imshow(rates, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), rate in np.ndenumerate(rates):
        text = f"{100 * rate:.0f} %" if rate >= 0.1 or rate == 0 else f"{100 * rate:.1f} %"
        axis.annotate(text, (column, row), ha="center", va="center", color="white" if rate > 0.55 else "black")
    axis.set_xticks(range(len(LABELS)), LABELS)
    axis.set_yticks(range(len(scored)), [f"latent {r['latent']['index']} ({c})" for c, r in scored.items()])
    axis.set_xlabel("label of the token")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    figure.colorbar(image, label="share of tokens it fires on", format=lambda value, _: f"{100 * value:.0f} %")
    return figure


def entropies(documents: Mapping[str, Mapping[str, Any]], control: str | None) -> dict[str, Float[np.ndarray, " unit"]]:
    """Token entropies of all sampled units: latents and neurons of each model, latents alone of the control."""
    groups = {}
    for model, document in documents.items():
        for kind in ("latents",) if model == control else ("latents", "neurons"):
            values = document["summary"][kind]["token_entropies_nats"]
            groups[f"{kind} of {model}" + (" (control)" if model == control else "")] = np.array(values)
    return groups


def token_entropy(groups: Mapping[str, Float[np.ndarray, " unit"]]) -> Figure:
    """Histogram of token-distribution entropies (nats), one row per group of units, with the median marked."""
    figure = style.new_figure(height=0.7 + len(groups))
    axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False)
    top = max((float(values.max()) for values in groups.values() if len(values)), default=1.0)
    bins = np.linspace(0, np.ceil(top), 33)
    for axis, (name, values) in zip(axes[:, 0], groups.items(), strict=True):
        colour = style.GREY if "control" in name else style.BASELINE if "neurons" in name else style.OURS
        axis.hist(values, bins, weights=np.full(len(values), 1 / max(len(values), 1)), color=colour)
        if len(values):
            median = float(np.median(values))
            axis.axvline(median, color="black", lw=1.2)
            axis.annotate(f"median {median:.1f}", (median, 0.92), xycoords=("data", "axes fraction"),
                          xytext=(4, 0), textcoords="offset points", va="top")  # fmt: skip
        axis.set_title(f"{name} ({len(values):,} units)", loc="left", fontsize=9)
        style.percent_axis(axis.yaxis)
        axis.grid(axis="x", visible=False)
    figure.supylabel("share of units", fontsize="medium")
    axes[-1, 0].set_xlabel("entropy of the tokens a unit fires on (nats); left: one token, right: many")
    return figure
