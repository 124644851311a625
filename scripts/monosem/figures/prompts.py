"""Figures of sets of prompts: every latent's activation in a set against that in the baseline."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style

POOLINGS = ("mean", "max")


def dots(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """A dot per latent, set against baseline, before and after the always-on ones are removed; mean and max pooling."""
    sets = list(document["sets"])
    figure = style.new_figure(height=0.9 + 1.9 * len(sets))
    grid = figure.subplots(len(sets), 4, squeeze=False)
    for number, (row, name) in enumerate(zip(grid, sets, strict=True)):
        constant, tested = arrays[f"{name}.always_on"], arrays[f"{name}.tested"]
        for axis, (pooling, after) in zip(row, [(p, after) for p in POOLINGS for after in (False, True)], strict=True):
            x, y = arrays[f"{name}.{pooling}.baseline"], arrays[f"{name}.{pooling}.set"]
            confirmed = arrays[f"{name}.confirmed.{pooling}"]
            shown = tested if after else np.ones(len(x), bool)
            plain = shown & ~constant & ~(confirmed & after)
            axis.plot(x[plain], y[plain], ".", ms=2.5, color=style.GREY, alpha=0.5, rasterized=True)
            if after:
                axis.plot(x[confirmed], y[confirmed], "o", ms=3.5, color=style.OURS)
            else:
                axis.plot(x[constant], y[constant], ".", ms=4, color=style.BASELINE, rasterized=True)
            top = max(x[shown].max(initial=0), y[shown].max(initial=0), 1e-6) * 1.05
            axis.plot([0, top], [0, top], color="#999999", lw=0.7, ls=(0, (4, 3)), zorder=0)
            axis.set(xlim=(-0.03 * top, top), ylim=(-0.03 * top, top))
            axis.set_box_aspect(1)
            axis.locator_params(nbins=4)
            if number == 0:
                axis.set_title(f"{pooling}, {'filtered' if after else 'all latents'}")
            if number == len(sets) - 1:
                axis.set_xlabel(f"in {document['baseline']}")
        row[0].set_ylabel(f"in {name}")
    handles = [
        grid[0, 0].plot([], [], "o", ms=4, color=colour, label=label)[0]
        for colour, label in (
            (style.GREY, "latent"),
            (style.BASELINE, "always on, removed"),
            (style.OURS, "separates the set (confirmed)"),
        )
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def ranking(document: Mapping[str, Any]) -> Figure:
    """Latents that rank highest by mean correlation on the first half, with their AUC on the second, per set."""
    sets = document["sets"]
    figure = style.new_figure(height=3.0)
    axes = figure.subplots(1, len(sets), sharex=True, squeeze=False)[0]
    for axis, (name, result) in zip(axes, sets.items(), strict=True):
        rows = result["ranking"]
        for y, row in enumerate(rows):
            for pooling, marker in zip(POOLINGS, "os", strict=True):
                good = row[f"confirmed_{pooling}"]
                axis.plot(row[f"auc_{pooling}"], y, marker, ms=5, color=style.OURS, mfc=style.OURS if good else "white")
            axis.plot(row["mean_correlation"], y, "|", ms=8, mew=1.6, color=style.BASELINE)
        axis.axvline(0.5, color=style.GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
        words = [" ".join(row["strongest_on"][:2]) for row in rows]
        axis.set_yticks(
            range(len(rows)), [f"{r['latent']} {w}" for r, w in zip(rows, words, strict=True)], fontsize=6.5
        )
        axis.set(title=name, xlim=(-0.02, 1.02), ylim=(max(len(rows), 1) - 0.5, -0.6))
        axis.grid(axis="y", visible=False)
    marks = (("o", style.OURS, "AUC, mean pooling"), ("s", style.OURS, "AUC, max pooling"))
    handles = [axes[0].plot([], [], m, ms=5, color=c, mfc="white", label=label)[0] for m, c, label in marks]
    handles.append(
        axes[0].plot([], [], "|", ms=8, mew=1.6, color=style.BASELINE, label="mean correlation, first half")[0]
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    figure.supxlabel("AUC on the second half (filled: confirmed)", fontsize="medium")
    return figure
