"""Figures of how faithfully autoencoders reconstruct a site: frontier, headline bars, densities, training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from scripts.monosem.plots import style

MARKERS = {"topk": "o", "relu": "^"}


@dataclass(frozen=True)
class Point:
    """One autoencoder, or one baseline, at one site."""

    name: str  # of the run or baseline
    group: str  # architecture of an autoencoder (topk, relu), or a baseline's name
    width: int | None  # latents; None for baselines
    l0: float  # latents per token, or numbers kept
    ce_increase_nats: float  # added to the clean loss
    explained_variance: float | None


def frontier(points: Sequence[Point], baselines: Mapping[str, Sequence[Point]]) -> Figure:
    """Nats added and variance explained against L0, by architecture (marker) and width (colour); baselines in grey."""
    figure, axes = plt.subplots(1, 2, figsize=style.size(1.0, 0.46), layout="constrained")
    widths = sorted({point.width for point in points})
    colours = dict(zip(widths, style.sequence(len(widths)), strict=True))
    measures = ("ce_increase_nats", "explained_variance")
    for axis, measure in zip(axes, measures, strict=True):
        for dashes, (name, line) in zip(((0, (1, 1)), (0, (4, 2)), (0, (5, 1, 1, 1))), baselines.items(), strict=False):
            drawn = sorted((p.l0, getattr(p, measure)) for p in line if getattr(p, measure) is not None)
            if drawn:
                axis.plot(*zip(*drawn, strict=True), color=style.GREY, ls=dashes, lw=1.2, marker=".", label=name)
        for (group, width) in sorted({(p.group, p.width) for p in points}, key=str):
            drawn = sorted((p.l0, getattr(p, measure)) for p in points if (p.group, p.width) == (group, width))
            axis.plot(
                *zip(*drawn, strict=True), color=colours[width], marker=MARKERS.get(group, "D"), ms=7, mec="white",
                lw=1, label=f"{group}, {width:,} latents",
            )  # fmt: skip
        axis.set(xscale="log", xlabel="L0 (active latents per token)")
        style.plain_log_ticks(axis.xaxis)
    axes[0].set(ylabel="loss added (nats per token)", yscale="log")
    style.plain_log_ticks(axes[0].yaxis)
    axes[1].set(ylabel="variance explained")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


@dataclass(frozen=True)
class Bar:
    """Loss recovered and loss added by one way to replace the activations, with 95 % intervals."""

    name: str
    l0: float | None
    recovered: float | None
    recovered_interval: tuple[float, float] | None
    added_nats: float
    added_interval: tuple[float, float] | None
    ours: bool  # whether this is the autoencoder that the report is about


def _bars(axis, values, intervals, colours, label) -> None:
    """Horizontal bars with intervals and the value in words; a bar that leaves the axis on the left is cut there."""
    left, right = axis.get_xlim()
    for row, (value, interval, colour) in enumerate(zip(values, intervals, colours, strict=True)):
        if value is None:
            axis.annotate("not defined", (left, row), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        axis.barh(row, value, color=colour, height=0.66)
        if interval:
            axis.plot(np.clip(interval, left, right), [row, row], color="black", lw=1.4, solid_capstyle="butt")
        end = max(np.clip([value, *(interval or ())], left, right))
        axis.annotate(label(value), (max(end, 0), row), xytext=(5, 0), textcoords="offset points", va="center")


def baselines(bars: Sequence[Bar]) -> Figure:
    """Loss recovered (left) and loss added (right) of the autoencoder and of each baseline, best first."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(style.size(1.0, 1.0)[0], 0.9 + 0.34 * len(bars)), layout="constrained", sharey=True
    )
    bars = sorted(bars, key=lambda bar: bar.added_nats)
    colours = [style.OURS if bar.ours else style.BASELINE for bar in bars]
    left.set_xlim(min(0, max(-0.5, min(bar.recovered or 0 for bar in bars))), 1.22)
    _bars(left, [b.recovered for b in bars], [b.recovered_interval for b in bars], colours, lambda v: f"{100 * v:.1f} %")
    right.set_xlim(0, 1.25 * max(bar.added_nats for bar in bars))
    _bars(right, [b.added_nats for b in bars], [b.added_interval for b in bars], colours, lambda v: f"{v:.3f}")
    left.set(xlabel="loss recovered (zero ablation = 0)", yticks=range(len(bars)))
    left.set_yticklabels([bar.name + (f"  (L0 {bar.l0:.0f})" if bar.l0 is not None else "") for bar in bars])
    left.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    left.invert_yaxis()
    right.set_xlabel("loss added (nats per token)")
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    return figure


def density(densities: Mapping[str, Float[np.ndarray, "latents"]], n_tokens: int) -> Figure:
    """Histogram of log10 density per autoencoder; latents that never fired are counted in words, not drawn.

    Args:
        densities: share of evaluated tokens on which each latent is above zero.
        n_tokens: evaluated tokens; below ten firings a density is a guess, and that range is shaded.
    """
    columns = min(3, len(densities))
    rows = -(-len(densities) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(style.size(1.0, 1.0)[0], 0.6 + 1.6 * rows), layout="constrained", sharex=True,
        squeeze=False,
    )  # fmt: skip
    lowest = np.floor(np.log10(1 / n_tokens))
    bins = np.linspace(lowest, 0, 41)
    for axis, (name, values) in zip(axes.flat, densities.items(), strict=False):
        alive = values[values > 0]
        axis.hist(np.log10(alive), bins, color=style.OURS)
        axis.axvspan(lowest, np.log10(10 / n_tokens), color=style.GREY, alpha=0.18, lw=0)
        few = int((alive * n_tokens < 10).sum())
        axis.set_title(name, fontsize=9, loc="left")
        axis.annotate(
            f"{len(values):,} latents\n{len(values) - len(alive):,} never fire\n{few:,} fire < 10 times",
            (0.97, 0.94), xycoords="axes fraction", ha="right", va="top", fontsize=7.5,
        )  # fmt: skip
        axis.set_xlim(lowest, 0)
    for axis in axes.flat[len(densities) :]:
        axis.set_visible(False)
    figure.supxlabel("log₁₀ of density (share of tokens a latent fires on)")
    figure.supylabel("latents")
    return figure


def density_bias_cosine(
    density: Float[np.ndarray, "latents"],
    bias: Float[np.ndarray, "latents"],
    cosine: Float[np.ndarray, "latents"],
    name: str,
) -> Figure:
    """Encoder bias and encoder·decoder cosine against density: where ultralow-density latents separate from the rest."""
    figure, axes = plt.subplots(1, 2, figsize=style.size(1.0, 0.42), layout="constrained")
    alive = density > 0
    x = np.log10(np.where(alive, density, 1.0))
    for axis, values, label in zip(
        axes, (bias, cosine), ("encoder bias", "cosine of encoder and decoder vector"), strict=True
    ):
        axis.scatter(x[alive], values[alive], s=5, color=style.OURS, alpha=0.45, lw=0, rasterized=True)
        if (~alive).any():
            position = x[alive].min() - 0.35 if alive.any() else 0
            axis.scatter(
                np.full((~alive).sum(), position), values[~alive], s=5, color=style.BASELINE, alpha=0.45, lw=0,
                rasterized=True, label=f"never fires ({(~alive).sum():,})",
            )  # fmt: skip
            axis.legend(loc="best")
        axis.set(xlabel="log₁₀ of density", ylabel=label)
    figure.suptitle(f"{name}: one point per latent", fontsize=10, x=0.01, ha="left")
    return figure


def training_curves(curves: Mapping[str, Sequence[Mapping]], measures: Mapping[str, str]) -> Figure:
    """How the autoencoders of a site learn: one panel per logged measure, one line per run.

    Args:
        curves: per run the lines of training.jsonl, with `vectors`.
        measures: key of the lines -> label of the axis.
    """
    figure, axes = plt.subplots(
        1, len(measures), figsize=style.size(1.0, 0.42), layout="constrained", squeeze=False
    )
    for axis, (key, label) in zip(axes[0], measures.items(), strict=True):
        for (name, lines), colour in zip(curves.items(), style.cycle(), strict=False):
            drawn = [(line["vectors"] / 1e6, line[key]) for line in lines if line.get(key) is not None]
            if drawn:
                axis.plot(*zip(*drawn, strict=True), color=colour, lw=1.2, label=name)
        axis.set(xlabel="vectors trained on (millions)", ylabel=label)
        axis.set_xlim(left=0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, max(len(names), 1)))
    return figure
