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
    "token_table": "mean of the current token",
    "other_layer_sae": "dictionary of another layer",
}


@dataclass(frozen=True)
class Bar:
    """Share kept and loss added by one way to replace the activations, with 95 % intervals."""

    name: str
    l0: float | None
    """None if nothing is kept."""
    kept: float | None
    """Of the MLP's worth; without a model that has no MLP, of the loss that zero ablation adds."""
    kept_interval: tuple[float, float] | None
    added_nats: float
    added_interval: tuple[float, float] | None
    ours: bool
    """True for an autoencoder of this site, False for a baseline."""


def _interval(row: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    ends = (row.get(f"{key}_low"), row.get(f"{key}_high"))
    return None if None in ends else ends


def bar(name: str, row: Mapping[str, Any], key: str, ours: bool) -> Bar:
    """A bar from one entry of a fidelity.json; `key` is the share that is shown."""
    kept, added = _interval(row, key), _interval(row, "ce_increase_nats")
    return Bar(name, row["l0"] or None, row[key], kept, row["ce_increase_nats"], added, ours)


def bars(document: Mapping[str, Any], run: str) -> list[Bar]:
    """The headline's autoencoder and all baselines of a fidelity.json."""
    share = share_of(document, run)[0]
    others = [bar(BASELINES[key], row, share, ours=False) for key, row in document["baselines"].items()]
    return [bar(f"autoencoder {run}", document["runs"][run], share, ours=True), *others]


def share_of(document: Mapping[str, Any], run: str) -> tuple[str, str]:
    """The share that a figure shows, and the model that counts as keeping nothing: one without MLPs if there is one."""
    worth = "mlp_worth_kept" in document["runs"][run]
    return ("mlp_worth_kept", "model without MLP") if worth else ("ce_loss_score", "zero ablation")


def baselines(document: Mapping[str, Any], run: str) -> Figure:
    """Share kept (left) and, on a logarithmic axis, loss added (right) of the autoencoder and of each baseline."""
    rows = sorted(bars(document, run), key=lambda bar: bar.added_nats)
    figure = style.new_figure(height=0.9 + 0.34 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    lowest = max(-0.5, min([0.0, *(bar.kept for bar in rows if bar.kept is not None)]))
    left.set_xlim(lowest, 1.25)
    for row, bar in enumerate(rows):
        colour = style.OURS if bar.ours else style.BASELINE
        if bar.kept is not None:
            left.barh(row, bar.kept, color=colour, height=0.66)
            ends = np.clip(bar.kept_interval or (bar.kept,) * 2, lowest, 1.25)
            left.plot(ends, [row, row], color="black", lw=1.4, solid_capstyle="butt")
            left.annotate(
                f"{100 * bar.kept:.1f} %", (max(ends[1], 0), row), xytext=(5, 0), textcoords="offset points",
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
    left.set_yticks(range(len(rows)), [bar.name + (f"  (L0 {bar.l0:.0f})" if bar.l0 else "") for bar in rows])
    left.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    left.set(xlabel=f"kept ({share_of(document, run)[1]} = 0)", ylim=(len(rows) - 0.4, -0.6))
    right.set(xlabel="loss added (nats per token)", xscale="log")
    positive = [bar.added_nats for bar in rows if bar.added_nats > 0] or [1.0]
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
