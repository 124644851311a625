"""Figures of how faithfully autoencoders reconstruct a site: frontier, headline bars, densities, training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, product
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scripts.monosem.evaluation.fidelity.document import drawn_alone, in_sweeps
from scripts.monosem.figures import palette, style
from scripts.monosem.sae.kinds import KINDS

MARKERS = dict(zip(KINDS, "^vospDX", strict=True))  # of architectures
BASELINE_MARKERS = "xP*v"
BASELINES = {
    "zero_ablation": "zero ablation",
    "mean_ablation": "mean ablation",
    "top_neurons_about_mean": "neurons farthest from mean",
    "top_neurons": "largest neurons, others zero",
    "pca": "principal components",
    "random_dictionary": "random dictionary",
    "shuffled_control_sae": "dictionary of permuted model",
    "other_layer_sae": "dictionary of another layer",
}
AT_EQUAL_L0 = ("top_neurons_about_mean", "top_neurons", "pca", "random_dictionary")


@dataclass(frozen=True)
class Point:
    """One autoencoder, or one baseline, at one site."""

    name: str  # of the run or baseline
    group: str  # architecture of an autoencoder; "" for a baseline
    width: int | None  # latents; None for a baseline
    l0: float  # latents per token, or numbers kept
    ce_increase_nats: float  # added to the clean loss
    explained_variance: float | None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # over seeds, of what was repeated
    alone: bool = False  # the start of an ablation, which may be trained in another way than its neighbours


def points(document: Mapping[str, Any]) -> list[Point]:
    """The autoencoders of a fidelity.json, then its baselines at equal L0.

    Of a sweep only the first variant is drawn, as the mean of its seeds.
    """
    swept = in_sweeps(document)
    runs = [
        (name, row["architecture"], row["d_sae"], row) for name, row in document["runs"].items() if name not in swept
    ]
    others = [(BASELINES[key], "", None, document["baselines"].get(key)) for key in AT_EQUAL_L0]
    alone = [
        Point(name, group, width, row["l0"], row["ce_increase_nats"], row["explained_variance"])
        for name, group, width, row in [*runs, *others]
        if row
    ]
    return [*(_repeated(name, document) for name in document.get("sweeps", {})), *alone]


def _repeated(sweep: str, document: Mapping[str, Any]) -> Point:
    first = next(iter(document["sweeps"][sweep].values()))
    example = document["runs"][first["runs"][0]]
    measures = ("ce_increase_nats", "explained_variance")
    ranges = {key: (first[key]["lowest"], first[key]["highest"]) for key in measures}
    means = (first[key]["mean"] for key in ("l0", *measures))
    ablated = len(document["sweeps"][sweep]) > 1
    return Point(sweep, example["architecture"], example["d_sae"], *means, ranges, ablated)


def frontier(points: Sequence[Point]) -> Figure:
    """Nats added and variance explained against L0, by architecture (marker) and width (colour)."""
    figure = style.new_figure(height=3.8)
    axes = figure.subplots(1, 2)
    widths = sorted({point.width for point in points if point.width})
    colours = dict(zip(widths, palette.sequence(len(widths)), strict=True))
    lines: dict[tuple, list[Point]] = {}  # an ablation's start is a line of its own
    for point in sorted(points, key=lambda point: point.l0):
        if point.width:
            lines.setdefault((point.group, point.width, point.name if point.alone else ""), []).append(point)
    baselines = [point for point in points if not point.width]
    for axis, measure in zip(axes, ("ce_increase_nats", "explained_variance"), strict=True):
        for (group, width, _), line in lines.items():
            axis.plot(
                [point.l0 for point in line], [getattr(point, measure) for point in line],
                color=colours[width], marker=MARKERS[group], ms=6, mec="white", lw=0.8,
            )  # fmt: skip
        for point in points:
            if measure in point.ranges:
                axis.plot([point.l0] * 2, point.ranges[measure], color=colours[point.width], lw=2.4, alpha=0.6)
        for point, marker in zip(baselines, BASELINE_MARKERS, strict=False):
            if getattr(point, measure) is not None:
                axis.plot(point.l0, getattr(point, measure), marker, color=palette.GREY, ms=6)
        axis.set(xscale="log", xlabel="L0 (numbers per token)")
        palette.log_axis(axis.xaxis)
    axes[0].set(ylabel="loss added (nats per token)", yscale="log")
    palette.log_axis(axes[0].yaxis)
    lowest = min((p.explained_variance for p in points if p.width and p.explained_variance is not None), default=0)
    axes[1].set(ylabel="variance explained", ylim=(min(0, lowest) - 0.03, 1))
    architectures = sorted({group for group, _, _ in lines})
    handles = [
        *(Line2D([], [], color=colours[width], lw=3, label=f"{width:,} latents") for width in widths),
        *(_mark(MARKERS[group], KINDS[group].words, "black") for group in architectures),
        *(_mark(m, p.name, palette.GREY) for p, m in zip(baselines, BASELINE_MARKERS, strict=False)),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _mark(marker: str, label: str, colour: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, ls="", ms=6, label=label)


@dataclass(frozen=True)
class Bar:
    """Loss recovered and loss added by one way to replace the activations, with 95 % intervals."""

    name: str
    l0: float | None  # None where nothing is kept
    recovered: float | None
    recovered_interval: tuple[float, float] | None
    added_nats: float
    added_interval: tuple[float, float] | None
    ours: bool  # whether this is an autoencoder of this site


def _interval(row: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    ends = (row.get(f"{key}_low"), row.get(f"{key}_high"))
    return None if None in ends else ends


def bar(name: str, row: Mapping[str, Any], ours: bool) -> Bar:
    """A bar from one entry of a fidelity.json."""
    recovered, added = _interval(row, "ce_loss_score"), _interval(row, "ce_increase_nats")
    return Bar(name, row["l0"] or None, row["ce_loss_score"], recovered, row["ce_increase_nats"], added, ours)


def bars(document: Mapping[str, Any], run: str) -> list[Bar]:
    """The headline's autoencoder and all baselines of a fidelity.json."""
    others = [bar(BASELINES[key], row, ours=False) for key, row in document["baselines"].items()]
    return [bar(f"autoencoder {run}", document["runs"][run], ours=True), *others]


def baselines(bars: Sequence[Bar]) -> Figure:
    """Loss recovered (left) and, on a logarithmic axis, loss added (right) of the autoencoder and of each baseline."""
    figure = style.new_figure(height=0.9 + 0.34 * len(bars))
    left, right = figure.subplots(1, 2, sharey=True)
    bars = sorted(bars, key=lambda bar: bar.added_nats)
    lowest = max(-0.5, min([0.0, *(bar.recovered for bar in bars if bar.recovered is not None)]))
    left.set_xlim(lowest, 1.25)
    for row, bar in enumerate(bars):
        colour = palette.OURS if bar.ours else palette.BASELINE
        if bar.recovered is not None:
            left.barh(row, bar.recovered, color=colour, height=0.66)
            ends = np.clip(bar.recovered_interval or (bar.recovered,) * 2, lowest, 1.25)
            left.plot(ends, [row, row], color="black", lw=1.4, solid_capstyle="butt")
            left.annotate(
                f"{100 * bar.recovered:.1f} %", (max(ends[1], 0), row), xytext=(5, 0), textcoords="offset points",
                va="center",
            )  # fmt: skip
        if bar.added_nats > 0:
            low, high = bar.added_interval or (bar.added_nats,) * 2
            right.plot([max(low, bar.added_nats / 10), high], [row, row], color="black", lw=1.4)
            right.plot(bar.added_nats, row, "o", color=colour, ms=7)
            right.annotate(
                f"{bar.added_nats:.3f}", (max(high, bar.added_nats), row), xytext=(8, 0), textcoords="offset points",
                va="center",
            )  # fmt: skip
    left.set_yticks(range(len(bars)), [bar.name + (f"  (L0 {bar.l0:.0f})" if bar.l0 else "") for bar in bars])
    left.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    left.set(xlabel="loss recovered (zero ablation = 0)", ylim=(len(bars) - 0.4, -0.6))
    right.set(xlabel="loss added (nats per token)", xscale="log")
    positive = [bar.added_nats for bar in bars if bar.added_nats > 0] or [1.0]
    right.set_xlim(min(positive) / 2, max(positive) * 5)
    palette.log_axis(right.xaxis)
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    return figure


def sites(documents: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss recovered and variance explained of the autoencoders of all sites and models."""
    rows = [(d["model"], d["site"], name, d["runs"][name]) for d in documents for name in drawn_alone(d)]
    figure = style.new_figure(height=0.9 + 0.3 * len(rows))
    axes = figure.subplots(1, 3, sharey=True)
    measures = {
        "ce_increase_nats": "loss added (nats)",
        "ce_loss_score": "loss recovered",
        "explained_variance": "variance explained",
    }
    models = list(dict.fromkeys(model for model, *_ in rows))
    for axis, (key, label) in zip(axes, measures.items(), strict=True):
        for y, (model, _, _, run) in enumerate(rows):
            if run[key] is None:
                continue
            colour = style.CYCLE[models.index(model) % len(style.CYCLE)]
            ends = _interval(run, key)
            if ends:
                axis.plot(ends, [y, y], color=colour, lw=1.6)
            axis.plot(run[key], y, MARKERS[run["architecture"]], color=colour, ms=6, mec="white")
        axis.set_xlabel(label)
    axes[0].set_yticks(range(len(rows)), [f"{model} · {site} · {name}" for model, site, name, _ in rows])
    axes[0].tick_params(axis="y", labelsize=6.5)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def density(densities: Mapping[str, Float[np.ndarray, " latents"]], n_tokens: int) -> Figure:
    """Histogram of log10 density per autoencoder; latents that never fired are counted in words, not drawn.

    Args:
        densities: share of evaluated tokens on which each latent is above zero.
        n_tokens: evaluated tokens; below ten firings a density is a guess, and that range is shaded.
    """
    columns = min(3, len(densities))
    rows = -(-len(densities) // columns)
    figure = style.new_figure(height=0.6 + 1.6 * rows)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    lowest = np.floor(np.log10(1 / n_tokens))
    bins = np.linspace(lowest, 0, 41)
    for axis, (name, values) in zip(axes.flat, densities.items(), strict=False):
        alive = values[values > 0]
        axis.stairs(np.histogram(np.log10(alive), bins)[0], bins, fill=True, color=palette.OURS)
        axis.axvspan(lowest, np.log10(10 / n_tokens), color=palette.GREY, alpha=0.18, lw=0)
        few = int((alive * n_tokens < 10).sum())
        axis.set_title(
            f"{name} ({len(values):,} latents)\n{len(values) - len(alive):,} never fire, {few:,} fire < 10 times",
            fontsize=6.5,
        )
        axis.set_xlim(lowest, 0)
    for axis in axes.flat[len(densities) :]:
        axis.set_visible(False)
    figure.supxlabel("log₁₀ of density (share of tokens a latent fires on)", fontsize="medium")
    figure.supylabel("latents", fontsize="medium")
    return figure


def density_bias_cosine(
    density: Float[np.ndarray, " latents"],
    bias: Float[np.ndarray, " latents"],
    cosine: Float[np.ndarray, " latents"],
    name: str,
) -> Figure:
    """Encoder bias and encoder·decoder cosine against density: where ultralow-density latents separate."""
    figure = style.new_figure(height=3.0)
    axes = figure.subplots(1, 2)
    alive = density > 0
    x = np.log10(np.where(alive, density, 1.0))
    for axis, values, label in zip(
        axes, (bias, cosine), ("encoder bias", "cosine of encoder and decoder vector"), strict=True
    ):
        axis.scatter(x[alive], values[alive], s=5, color=palette.OURS, alpha=0.45, lw=0, rasterized=True)
        if (~alive).any():
            position = x[alive].min() - 0.35 if alive.any() else 0
            axis.scatter(
                np.full((~alive).sum(), position), values[~alive], s=5, color=palette.BASELINE, alpha=0.45, lw=0,
                rasterized=True, label=f"never fires ({(~alive).sum():,})",
            )  # fmt: skip
            axis.legend(loc="best")
        axis.set(xlabel="log₁₀ of density", ylabel=label)
    axes[0].set_title(f"{name}: one point per latent")
    return figure


def training_curves(curves: Mapping[str, Sequence[Mapping]], measures: Mapping[str, str]) -> Figure:
    """How the autoencoders of a site learn: one panel per logged measure, one line per run.

    Args:
        curves: per run the lines of training.jsonl, with `vectors`.
        measures: key of the lines -> label of the axis.
    """
    figure = style.new_figure(height=2.8)
    axes = figure.subplots(1, len(measures), squeeze=False)
    for axis, (key, label) in zip(axes[0], measures.items(), strict=True):
        looks = cycle(product(("-", "--", ":"), style.CYCLE))
        for (name, lines), (dashes, colour) in zip(curves.items(), looks, strict=False):
            drawn = [(line["vectors"] / 1e6, line[key]) for line in lines if line.get(key) is not None]
            if drawn:
                axis.plot(*zip(*drawn, strict=True), dashes, color=colour, lw=1.2, label=name)
        axis.set(xlabel="vectors trained on (millions)", ylabel=label)
        axis.set_xlim(left=0)
        if key == "l0":  # a ReLU autoencoder starts with half of its latents active
            axis.set_yscale("log")
        if key == "explained_variance":  # a start below zero, worse than the mean, would squeeze the rest
            axis.set_ylim(bottom=0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, max(len(names), 1)))
    return figure
