"""Figures of the fidelity of autoencoders: the headline beside every baseline, and all sites and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.evaluation.fidelity.document import drawn_alone
from scripts.monosem.figures import style
from scripts.monosem.sae.architectures import ARCHITECTURES

MARKERS = {name: architecture.marker for name, architecture in ARCHITECTURES.items()}
"""Marker of each architecture."""
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


@dataclass(frozen=True)
class Bar:
    """Loss recovered and loss added by one way to replace the activations, with 95 % intervals."""

    name: str
    l0: float | None
    """None if nothing is kept."""
    recovered: float | None
    recovered_interval: tuple[float, float] | None
    added_nats: float
    added_interval: tuple[float, float] | None
    ours: bool
    """True for an autoencoder of this site, False for a baseline."""


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
        colour = style.OURS if bar.ours else style.BASELINE
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
    style.log_axis(right.xaxis)
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
