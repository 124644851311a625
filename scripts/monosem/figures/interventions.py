"""Figures of pinned and ablated latents: dose-response curves, and loss added token by token."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from scripts.monosem.figures import style

LABEL_POINTS = 420
"""Points of width that the tokens of a text share."""


def dose_response(document: Mapping[str, Any]) -> Figure:
    """Share of the sampled text that is of the latent's context, against the value at which the latent is pinned."""
    contexts = document["pinned"]
    if not contexts:
        return style.empty_figure("no planted context has a latent")
    figure = style.new_figure(height=3.0)
    axis = figure.subplots()
    for name, row in contexts.items():
        doses = [entry["dose"] for entry in row["doses"]]
        shares = [entry["share"] for entry in row["doses"]]
        axis.plot(doses, shares, "o-", color=style.LABELS[name], label=f"{name} (latent {row['latent']})")
    random = [row["random_mean"] for row in contexts.values() if row["random_mean"] is not None]
    if random:
        axis.plot(1, max(random), "x", color="black", ms=7, mew=1.6, label="random latents, largest mean")
    axis.axhline(
        max(row["unpinned"]["value"] for row in contexts.values()), color=style.GREY, ls=(0, (4, 3)), lw=0.9, zorder=0
    )
    axis.set(xlabel="value / largest activation on text", ylabel="share of sampled characters\nthat are of the context")
    axis.set_ylim(-0.03, 1.03)
    style.percent_axis(axis.yaxis)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def ablation(document: Mapping[str, Any]) -> Figure:
    """Change of the loss of every next token when the text's strongest latent, or random ones, are set to zero."""
    texts = document["examples"]["texts"]
    if not texts:
        return style.empty_figure("there is no text, or no random latent to compare with")
    figure = style.new_figure(height=0.5 + 2.1 * len(texts))
    axes = figure.subplots(len(texts), 1, squeeze=False)[:, 0]
    for axis, (name, row) in zip(axes, texts.items(), strict=True):
        x = range(len(row["tokens"]))
        axis.bar(x, row["change_nats"], color=style.OURS, label="strongest latent")
        axis.plot(x, row["random_change_nats"], "_", color=style.BASELINE, ms=7, mew=1.4, label="random latents, mean")
        axis.axhline(0, color=style.GREY, lw=0.7)
        axis.set_xticks(x, row["tokens"], rotation=90, fontsize=6.5, family="monospace")
        axis.set(title=f"{name}: latent {row['latent']}", ylabel="loss added (nats)", xlim=(-0.7, len(x) - 0.3))
        axis.grid(axis="x", visible=False)
    axes[0].legend()
    return figure


def _level(row: Mapping[str, Any]) -> str:
    return f"value {row['value']:.3g}" if row["dose"] is None else f"dose {row['dose']:g} (value {row['value']:.3g})"


def unit_dose_response(document: Mapping[str, Any]) -> Figure:
    """Loss of the text, and shift of the next token after the prompt, against the value; random units beside them."""
    parts = {
        "reading": (
            "mean_change_nats",
            "random_mean_change_nats",
            "random_largest_change_nats",
            "loss added to the text\n(nats per token)",
        ),
        "writing": (
            "kl_nats",
            "random_mean_kl_nats",
            "random_largest_kl_nats",
            "KL of the next token\nafter the prompt (nats)",
        ),
    }
    drawn = {name: keys for name, keys in parts.items() if document[name]}
    figure = style.new_figure(height=2.9)
    axes = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axis, (name, (change, mean, largest, label)) in zip(axes, drawn.items(), strict=True):
        rows = document[name]["levels"]
        by_dose = rows[0]["dose"] is not None
        x = [row["dose" if by_dose else "value"] for row in rows]
        axis.plot(
            x, [row[change] for row in rows], "o-", color=style.OURS, label=f"{document['kind']} {document['unit']}"
        )
        if rows[0][mean] is not None:
            axis.plot(x, [row[mean] for row in rows], "o--", color=style.GREY, mfc="white", label="random units, mean")
            axis.plot(
                x, [row[largest] for row in rows], "^:", color=style.GREY, mfc="white", label="random units, largest"
            )
        axis.axhline(0, color=style.GREY, lw=0.7)
        axis.set(xlabel="value / its largest activation" if by_dose else "value", ylabel=label)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def loss_by_token(document: Mapping[str, Any]) -> Figure:
    """The unit's activation by token, and for each pinned value a row of bars: loss added to each token."""
    part = document["reading"]
    if not part:
        return style.empty_figure("no text is read in this intervention")
    rows, names = part["levels"], part["tokens"]
    figure = style.new_figure(height=0.9 + 1.25 * (len(rows) + 1))
    axes = figure.subplots(len(rows) + 1, 1, sharex=True)
    x = range(len(names))
    axes[0].bar(x, part["activations"], color=style.GREY)
    axes[0].set(ylabel="activation", title=f"{document['kind']} {document['unit']}, unpinned")
    for axis, row in zip(axes[1:], rows, strict=True):
        axis.bar(x, row["change_nats"], color=style.OURS, label="loss added")
        if row["random_change_nats"]:
            axis.plot(
                x, row["random_change_nats"], "_", color=style.BASELINE, ms=6, mew=1.3, label="random units, mean"
            )
        axis.axhline(0, color=style.GREY, lw=0.7)
        axis.set(title=_level(row), ylabel="nats")
    for axis in axes:
        axis.grid(axis="x", visible=False)
    size = min(6.5, max(3.0, LABEL_POINTS / len(names)))
    axes[-1].set_xticks(x, names, rotation=90, fontsize=size, family="monospace")
    axes[-1].set_xlim(-0.7, len(names) - 0.3)
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
