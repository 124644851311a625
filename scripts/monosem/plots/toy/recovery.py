"""Figures of autoencoders that find the true features of a toy model."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from scripts.monosem.plots import style
from scripts.monosem.plots.toy.common import RULE, SIGNED


def band(result: dict[str, Any]) -> Figure:
    """MMCS, matched share and L0 over the band of λ (ReLU) and k (TopK): every seed a point, lines through means."""
    control, bar = result["controls"], result["bar"]
    figure = style.new_figure(height=5.2)
    grid = figure.subplots(3, 2, sharex="col", sharey="row")
    rows = (
        ("mmcs", "mean max cosine (MMCS)"),
        ("matched_share", f"matched one to one\n(cosine ≥ {result['match_cosine']:g})"),
        ("l0", "active latents (L0)"),
    )
    columns = (("relu", "l1_coefficient", "ReLU SAE", "L1 coefficient λ"), ("topk", "k", "TopK SAE", "k"))
    for column, (architecture, knob, title, label) in enumerate(columns):
        runs = [run for run in result["runs"] if run["architecture"] == architecture]
        values = sorted({run[knob] for run in runs})
        for row, (key, name) in enumerate(rows):
            axes: Axes = grid[row, column]
            means = [np.mean([run[key] for run in runs if run[knob] == value]) for value in values]
            axes.plot(values, means, color=style.BLUE, linewidth=1.2)
            axes.plot([run[knob] for run in runs], [run[key] for run in runs], "o", color=style.BLUE, alpha=0.7,
                      label="SAE, each seed")  # fmt: skip
            if key == "l0":
                axes.axhline(result["toy_model"]["true_l0"], color=style.GREEN, label="features truly active", **RULE)
                axes.set_yscale("log")
                axes.set_yticks([1, 3, 10, 30], ["1", "3", "10", "30"])
                axes.yaxis.set_minor_formatter(NullFormatter())
            else:
                random = [entry[key] for entry in control["random_dictionary"]]
                axes.axhline(np.mean(random), color=style.VERMILION, label="random dictionary", linewidth=1.2)
                axes.axhline(control["raw_basis"][key], color=style.ORANGE, label="raw basis (± unit vectors)",
                             linewidth=1.2, linestyle=":")  # fmt: skip
                axes.axhline(bar[key], color=style.GREY, label="bar", **RULE)
                axes.set_ylim(-0.04, 1.06)
            if column == 0:
                axes.set_ylabel(name)
            if row == 0:
                axes.set_title(title)
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    more, more_labels = grid[2, 0].get_legend_handles_labels()
    figure.legend(handles + more[1:], labels + more_labels[1:], loc="outside lower center", ncols=5)
    return figure


def _matched_order(cosines: Float[np.ndarray, "feature latent"], columns: np.ndarray) -> np.ndarray:
    """Matched latents in the order of their features, then the others by falling largest cosine."""
    others = np.setdiff1d(np.arange(cosines.shape[1]), columns)
    return np.concatenate([columns, others[np.argsort(-cosines[:, others].max(axis=0))]])


def matching(arrays: dict[str, np.ndarray]) -> Figure:
    """Cosines between true features and latents after one-to-one matching: best SAE above, random dictionary below."""
    figure = style.new_figure(height=4.6)
    grid = figure.subplots(2, 1, sharex=True)
    for axes, name, title in zip(
        grid, ("best", "random"), ("best sparse autoencoder", "random dictionary of the same size"), strict=True
    ):
        cosines, columns = arrays[f"{name}_cosines"], arrays[f"{name}_columns"]
        n = cosines.shape[0]
        ordered = cosines[:, _matched_order(cosines, columns)]
        image = axes.imshow(ordered, cmap=style.DIVERGING, norm=SIGNED, aspect="auto")
        axes.axvline(n - 0.5, color="black", linewidth=0.8)
        axes.grid(False)
        axes.set(title=title, ylabel="true feature")
    grid[1].set_xlabel("latent: matched ones in the order of their features, then the others (right of the line)")
    figure.colorbar(image, ax=grid, fraction=0.02, pad=0.01, aspect=40).set_label("cosine")
    return figure


def figures(name: str, result: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"band": band(result), "matching": matching(arrays)}
