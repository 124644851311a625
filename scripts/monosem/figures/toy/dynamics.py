"""Figures of learning dynamics: energy levels beside the loss, and an octahedron that forms in stages."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays

SETS = (style.BLUE, style.VERMILION)
"""Colour of the first and the second set."""
SHOWN = (0.0, 0.12, 0.25, 0.4, 0.6, 1.0)
"""Shares of the training at which the small model is drawn."""


def levels(result: dict[str, Any], arrays: Arrays) -> Figure:
    """D_i of every feature over training above, the loss below.

    Arrays: level_steps and level_loss [record], D and norms [record, n].
    """
    steps, D = arrays["level_steps"], arrays["D"]
    final = arrays["norms"][-1] > 0.5
    figure = style.new_figure(height=4.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.7, 1.0))
    for feature in np.argsort(final):
        kept = final[feature]
        upper.plot(steps, D[:, feature], color=style.BLUE if kept else "#cfcfcf", linewidth=0.7 if kept else 0.3,
                   alpha=0.7, rasterized=True)  # fmt: skip
    upper.axhline(0.5, color="black", **style.REFERENCE_LINE)
    upper.set(ylim=(0, 1.05), ylabel="dimensionality Dᵢ\n(blue: represented at the end)")
    lower.plot(steps, arrays["level_loss"], color=style.VERMILION)
    # the first steps, in which only the bias is learnt, would flatten the rest
    settled = arrays["level_loss"][len(steps) // 20 :]
    lower.set(xlabel="Adam steps", ylabel="unexplained loss", xlim=(steps[0], steps[-1]))
    lower.set_ylim(settled.min() - 0.05 * np.ptp(settled) - 1e-6, settled.max() + 0.3 * np.ptp(settled) + 1e-6)
    return figure


def octahedron(result: dict[str, Any], arrays: Arrays) -> Figure:
    """Loss of all small models above, the best in bold; its features from the front at some times below.

    Arrays: octahedron_steps [record], octahedron_losses [record, instance], octahedron_W [record, 3, 6] of the `best`.
    """
    steps, W = arrays["octahedron_steps"], arrays["octahedron_W"]
    best = int(arrays["best"])
    figure = style.new_figure(height=3.9)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.45, 1.0))
    axes = upper.subplots()
    losses = arrays["octahedron_losses"]
    for index in range(losses.shape[1]):
        axes.plot(steps, losses[:, index], color="#bbbbbb", linewidth=0.5, rasterized=True)
    axes.plot(steps, losses[:, best], color=style.VERMILION, linewidth=1.6)
    records = [int(round(share * (len(steps) - 1))) for share in SHOWN]
    for record in records:
        axes.plot(steps[record], losses[record, best], "o", color="black", markersize=3.5)
    axes.set(
        yscale="log",
        xlabel="Adam steps",
        ylabel="unexplained loss",
        xlim=(steps[0] - 0.01 * steps[-1], steps[-1] * 1.01),
    )
    # seen along a direction in which an octahedron hides none of its six vertices
    axis = np.linalg.svd(W[-1])[0]
    view = np.array([[0.93, -0.35, 0.12], [0.2, 0.77, 0.6]]) @ axis.T
    for panel, record in zip(lower.subplots(1, len(records)), records, strict=True):
        for feature, (x, y) in enumerate((view @ W[record]).T):
            panel.plot([0, x], [0, y], color=SETS[feature // 3], linewidth=1.3)
            panel.plot(x, y, "o", color=SETS[feature // 3], markersize=3.5)
        style.bare(panel).set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
        panel.set_title(f"step {steps[record]}", fontsize=8)
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"levels": levels(result, arrays), "octahedron": octahedron(result, arrays)}
