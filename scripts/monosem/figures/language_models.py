"""Figures of the language models: training curves, and held-out loss beside n-gram models and without MLPs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from scripts.monosem.figures import style

NGRAMS = ("unigram", "bigram", "trigram")


def training_curves(curves: Mapping[str, Sequence[Mapping]], references: Mapping[str, float]) -> Figure:
    """Loss in nats per token against tokens seen, one line per trained model, n-gram models as level lines.

    Args:
        curves: per model the lines of training.jsonl (`tokens`, `loss_nats`, sometimes `validation_nats`).
        references: nats per token of n-gram models on held-out natural text.
    """
    figure = style.new_figure(height=3.3)
    axis = figure.subplots()
    for (model, lines), colour in zip(curves.items(), style.CYCLE, strict=False):
        tokens = [line["tokens"] / 1e6 for line in lines]
        axis.plot(tokens, [line["loss_nats"] for line in lines], color=colour, lw=1.1, label=model)
        validated = [line for line in lines if line.get("validation_nats") is not None]
        axis.plot(
            [line["tokens"] / 1e6 for line in validated],
            [line["validation_nats"] for line in validated],
            "o", color=colour, ms=5, mec="white",
        )  # fmt: skip
    axis.plot([], [], "o", color=style.GREY, ms=5, label="on validation text")
    right = max(line["tokens"] / 1e6 for lines in curves.values() for line in lines)
    for name, nats in references.items():
        axis.axhline(nats, color=style.GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
        below = name == "trigram"  # the line just above is the bigram's
        axis.annotate(
            name, (right, nats), xytext=(0, -2 if below else 2), textcoords="offset points", ha="right",
            va="top" if below else "bottom", color=style.GREY,
        )  # fmt: skip
    low = min([*references.values(), *(line["loss_nats"] for lines in curves.values() for line in lines)])
    high = max(references.values(), default=low + 3)
    axis.set(xlabel="tokens trained on (millions)", ylabel="loss (nats per token)", ylim=(low - 0.3, high + 0.8))
    axis.set_xlim(left=0)
    axis.legend(loc="upper center", ncols=2)
    return figure


def losses(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Held-out loss of each model, whole and with its MLPs zeroed, and of n-gram models.

    Args:
        scores: per model the `scores` of training.json: {"model" | "mlp_zeroed" | "bigram" | …: {"nats_per_token"}}.
    """
    figure = style.new_figure(height=1.2 + 0.36 * len(scores))
    axis = figure.subplots()
    names = list(scores)
    for row, model in enumerate(names):
        whole, without = (scores[model][kind]["nats_per_token"] for kind in ("model", "mlp_zeroed"))
        axis.plot([whole, without], [row, row], color=style.GREY, lw=1, zorder=1)
        axis.plot(without, row, "o", mfc="white", mec=style.OURS, ms=7, label="MLPs zeroed" if row == 0 else None)
        axis.plot(whole, row, "o", color=style.OURS, ms=7, label="whole model" if row == 0 else None)
    reference = scores[names[0]]
    for name in NGRAMS:
        nats = reference[name]["nats_per_token"]
        axis.axvline(nats, color=style.GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
        side = {"trigram": "right", "bigram": "left"}.get(name, "center")  # the two lines are close to each other
        axis.annotate(name, (nats, -0.62), ha=side, va="bottom", color=style.GREY)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel="loss on held-out natural text (nats per token)")
    axis.set_ylim(len(names) - 0.5, -0.95)
    axis.margins(x=0.09)
    axis.grid(axis="y", visible=False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
