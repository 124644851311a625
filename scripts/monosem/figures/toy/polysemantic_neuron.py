"""Figure of the choice between a monosemantic and a polysemantic neuron."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays

NAMES = {
    "cross_entropy": ("cross-entropy", "nats", style.BLUE),
    "squared_error": ("squared error (control)", "of a one-hot target", style.VERMILION),
}


def choice(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Exact loss by group size as lines, trained models as dots; on the right the share of models with each size.

    Arrays: {loss}_losses and {loss}_groups [restart].
    """
    figure = style.new_figure(height=2.7)
    axes = figure.subplots(1, 3)
    sizes = result["sizes"]
    rng = np.random.default_rng(0)
    for panel, (kind, (name, unit, colour)) in zip(axes, NAMES.items(), strict=False):
        losses, groups = arrays[f"{kind}_losses"], arrays[f"{kind}_groups"]
        panel.plot(groups + rng.uniform(-0.2, 0.2, len(groups)), losses, ".", color=colour, alpha=0.5,
                   label="trained models")  # fmt: skip
        for size, value in zip(sizes, result["exact"][kind], strict=True):
            panel.plot([size - 0.35, size + 0.35], [value, value], color="black", linewidth=1.2,
                       label="exact optimum" if size == sizes[0] else None)  # fmt: skip
            panel.annotate(f"{value:.3f}", (size, value), xytext=(0, -11), textcoords="offset points", ha="center",
                           fontsize=7.5)  # fmt: skip
        panel.set(title=name, xlabel="size of the smaller group", ylabel=f"loss, {unit}",
                  xlim=(-0.6, sizes[-1] + 0.6))  # fmt: skip
        panel.set_xticks(range(sizes[-1] + 1))
        panel.margins(y=0.25)
        panel.legend(loc="center left" if kind == "cross_entropy" else "upper left")
    width = 0.38
    for offset, (kind, (name, _, colour)) in zip((-width / 2, width / 2), NAMES.items(), strict=True):
        shares = result["trained"][kind]["share_by_group"]
        axes[2].bar(np.arange(len(shares)) + offset, shares, width, color=colour, label=name)
    axes[2].set(title="what training chose", xlabel="size of the smaller group", ylabel="share of models")
    axes[2].set_xticks(range(sizes[-1] + 1))
    axes[2].grid(axis="x", visible=False)
    axes[2].set_ylim(0, 1.3)
    axes[2].legend(loc="upper left")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"choice": choice(result, arrays)}
