"""Figures of autoencoders that are graded against known features."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from scripts.monosem.figures import style
from scripts.monosem.figures.toy import Arrays
from scripts.monosem.sae.architectures import ARCHITECTURES, sparsity_knob

KNOBS = {"l1_coefficient": "L1 coefficient λ", "l0_coefficient": "L0 coefficient λ", "k": "k"}
"""Key that sets how sparse an autoencoder is -> its name on an axis."""
SHARE = Normalize(0.0, 1.0)
"""Scale of shares and cosines in the sweep."""
SHOWN = 64
"""Features shown in the matching; evenly spaced ones where there are more."""


def _architectures(result: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(run["architecture"] for run in result["runs"]))


def _names(architecture: str) -> tuple[str, str]:
    """Title of an architecture, and the name of the knob that sets its sparsity."""
    return ARCHITECTURES[architecture].label, KNOBS[sparsity_knob(architecture)]


def band(result: dict[str, Any]) -> Figure:
    """MMCS, matched share and L0 against the knob of sparsity at the headline width: every seed a point."""
    control, bar, grids = result["controls"], result["bar"], result["parameters"]["grids"]
    architectures = _architectures(result)
    figure = style.new_figure(height=5.4)
    grid = figure.subplots(3, len(architectures), sharex="col", sharey="row", squeeze=False)
    rows = (
        ("mmcs", "mean max cosine (MMCS)"),
        ("matched_share", f"matched one to one\n(cosine ≥ {result['match_cosine']:g})"),
        ("l0", "active latents (L0)"),
    )
    references = (
        ("raw_basis", "raw basis", style.ORANGE, ":"),
        ("pca", "principal components", style.GREEN, "-."),
        ("ica", "independent components", style.PURPLE, "--"),
    )
    for column, architecture in enumerate(architectures):
        title, label = _names(architecture)
        width = grids[architecture]["headline"]["width"]
        runs = [run for run in result["runs"] if (run["architecture"], run["d_sae"]) == (architecture, width)]
        values = sorted({run["value"] for run in runs})
        for row, (key, name) in enumerate(rows):
            axes: Axes = grid[row, column]
            means = [np.mean([run[key] for run in runs if run["value"] == value]) for value in values]
            axes.plot(values, means, color=style.BLUE, linewidth=1.2)
            axes.plot([run["value"] for run in runs], [run[key] for run in runs], "o", color=style.BLUE, alpha=0.7,
                      label="SAE, each seed")  # fmt: skip
            if key == "l0":
                axes.axhline(
                    result["truth"]["true_l0"], color=style.GREEN, label="features truly active", **style.REFERENCE_LINE
                )
                axes.set_yscale("log")
                axes.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
                axes.yaxis.set_minor_formatter(NullFormatter())
                counts = [run[key] for run in result["runs"]] + [result["truth"]["true_l0"]]
                axes.set_ylim(min(counts) / 1.5, max(counts) * 1.5)
            else:
                random = [entry[key] for entry in control["random_dictionary"]]
                axes.axhline(np.mean(random), color=style.VERMILION, label="random dictionary", linewidth=1.2)
                for kind, words, colour, dashes in references:
                    axes.axhline(control[kind][key], color=colour, label=words, linewidth=1.2, linestyle=dashes)
                axes.axhline(bar[key], color=style.GREY, label="bar", **style.REFERENCE_LINE)
                axes.set_ylim(-0.04, 1.06)
            if column == 0:
                axes.set_ylabel(name)
            if row == 0:
                axes.set_title(f"{title}, {width:,} latents")
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    more, more_labels = grid[2, 0].get_legend_handles_labels()
    figure.legend(handles + more[1:], labels + more_labels[1:], loc="outside lower center", ncols=4)
    return figure


def _cells(
    axes: Axes, entries: list[tuple[int | float, int, float]], values: list[int | float], widths: list[int]
) -> None:
    """One heat map of sparsity × width with its numbers written in; settings that were not trained stay empty."""
    shown = np.full((len(widths), len(values)), np.nan)
    for value, width, number in entries:
        shown[widths.index(width), values.index(value)] = number
    axes.imshow(shown, cmap=style.SEQUENTIAL, norm=SHARE, aspect="auto", origin="lower")
    for (row, column), number in np.ndenumerate(shown):
        if np.isfinite(number):
            axes.text(column, row, f"{number:.2f}", ha="center", va="center", fontsize=7,
                      color="white" if number < 0.55 else "black")  # fmt: skip
    axes.grid(False)
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set_yticks(range(len(widths)), [f"{width:,}" for width in widths])


def sweep(result: dict[str, Any]) -> Figure:
    """Sparsity × width: MMCS, one-to-one matches, the proxy without ground truth, silent and duplicate latents."""
    architectures = _architectures(result)
    rows = ("MMCS", "matched one to one", "MMCS to the next\nlarger dictionary", "silent latents", "duplicate latents")
    figure = style.new_figure(height=6.4)
    grid = figure.subplots(len(rows), len(architectures), sharex="col", sharey="col", squeeze=False)
    for column, architecture in enumerate(architectures):
        settings = [entry for entry in result["summary"] if entry["architecture"] == architecture]
        values, widths = (sorted({entry[key] for entry in settings}) for key in ("value", "d_sae"))
        place = [(entry["value"], entry["d_sae"]) for entry in settings]
        proxy = [
            (entry["value"], entry["d_sae"], entry["mmcs_to_next"])
            for entry in result["to_next_larger"]
            if entry["architecture"] == architecture
        ]
        numbers = (
            [entry["mean_mmcs"] for entry in settings],
            [entry["mean_matched_share"] for entry in settings],
            None,
            [entry["mean_n_silent"] / entry["d_sae"] for entry in settings],
            [entry["mean_n_duplicates"] / entry["d_sae"] for entry in settings],
        )
        for row, name in enumerate(rows):
            axes = grid[row, column]
            entries = (
                proxy
                if numbers[row] is None
                else [(*where, number) for where, number in zip(place, numbers[row], strict=True)]
            )
            _cells(axes, entries, values, widths)
            if column == 0:
                axes.set_ylabel(f"{name}\n\nlatents")
        title, label = _names(architecture)
        grid[0, column].set_title(title)
        grid[-1, column].set_xlabel(label)
    return figure


def _matched_order(
    cosines: Float[np.ndarray, "feature latent"], columns: Int[np.ndarray, " pair"]
) -> Int[np.ndarray, " latent"]:
    """Matched latents in the order of their features, then the others by falling largest cosine."""
    others = np.setdiff1d(np.arange(cosines.shape[1]), columns)
    return np.concatenate([columns, others[np.argsort(-cosines[:, others].max(axis=0))]])


def matching(arrays: Arrays) -> Figure:
    """Cosines between true features and latents after one-to-one matching: best SAE above, random dictionary below.

    Arrays: {best,random}_cosines [feature, latent], {best,random}_columns [pair].
    """
    figure = style.new_figure(height=4.6)
    grid = figure.subplots(2, 1, sharex=True)
    for axes, name, title in zip(
        grid, ("best", "random"), ("best sparse autoencoder", "random dictionary"), strict=True
    ):
        cosines, columns = arrays[f"{name}_cosines"], arrays[f"{name}_columns"]
        n = min(len(columns), SHOWN)
        kept = np.linspace(0, len(columns) - 1, n).round().astype(int)
        ordered = cosines[kept][:, np.concatenate([columns[kept], _matched_order(cosines, columns)[len(columns) :]])]
        image = axes.imshow(ordered[:, : 2 * SHOWN], cmap=style.DIVERGING, norm=style.SIGNED, aspect="auto")
        axes.axvline(n - 0.5, color="black", linewidth=0.8)
        axes.grid(False)
        axes.set(title=title, ylabel="true feature")
        if len(columns) > n:
            axes.set_yticks(range(0, n, 16), [f"{kept[i]}" for i in range(0, n, 16)])
    grid[1].set_xlabel("latent: matched ones in the order of their features, then others (right of the line)")
    figure.colorbar(image, ax=grid, fraction=0.02, pad=0.01, aspect=40).set_label("cosine")
    return figure


def figures(name: str, result: dict[str, Any], arrays: Arrays) -> dict[str, Figure]:
    """All figures of one experiment."""
    return {"band": band(result), "sweep": sweep(result), "matching": matching(arrays)}
