"""Figures of latents that are held at a value: dose-response curves, and what ablation costs token by token."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from scripts.monosem.plots import palette, style
from scripts.monosem.plots.interpretation import empty


def dose_response(document: Mapping[str, Any]) -> Figure:
    """Share of the sampled text that is of the latent's context, against the value at which the latent is held."""
    contexts = document["held"]
    if not contexts:
        return empty("no planted context has a latent")
    figure = style.new_figure(height=3.0)
    axis = figure.subplots()
    for name, row in contexts.items():
        doses = [entry["dose"] for entry in row["doses"]]
        shares = [entry["share"] for entry in row["doses"]]
        axis.plot(doses, shares, "o-", color=palette.LABELS[name], label=f"{name} (latent {row['latent']})")
    random = [row["random_mean"] for row in contexts.values() if row["random_mean"] is not None]
    if random:
        axis.plot(1, max(random), "x", color="black", ms=7, mew=1.6, label="random latents, largest mean")
    axis.axhline(
        max(row["unpinned"] for row in contexts.values()), color=palette.GREY, ls=(0, (4, 3)), lw=0.9, zorder=0
    )
    axis.set(xlabel="value / largest activation on text", ylabel="share of sampled characters\nthat are of the context")
    axis.set_ylim(-0.03, 1.03)
    palette.percent_axis(axis.yaxis)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def ablation(document: Mapping[str, Any]) -> Figure:
    """Change of the loss of every next token when the text's strongest latent, or random ones, are set to zero."""
    texts = document["examples"]["texts"]
    if not texts:
        return empty("there is no text, or no random latent to compare with")
    figure = style.new_figure(height=0.5 + 2.1 * len(texts))
    axes = figure.subplots(len(texts), 1, squeeze=False)[:, 0]
    for axis, (name, row) in zip(axes, texts.items(), strict=True):
        x = range(len(row["tokens"]))
        axis.bar(x, row["change_nats"], color=palette.OURS, label="strongest latent")
        axis.plot(
            x, row["random_change_nats"], "_", color=palette.BASELINE, ms=7, mew=1.4, label="random latents, mean"
        )
        axis.axhline(0, color=palette.GREY, lw=0.7)
        axis.set_xticks(x, row["tokens"], rotation=90, fontsize=6.5, family="monospace")
        axis.set(title=f"{name}: latent {row['latent']}", ylabel="loss added (nats)", xlim=(-0.7, len(x) - 0.3))
        axis.grid(axis="x", visible=False)
    axes[0].legend()
    return figure
