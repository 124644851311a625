"""Figure of the norms of tokens by their position in the window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from scripts.monosem.figures import style


@dataclass(frozen=True)
class Panel:
    """Norms at one site."""

    title: str
    norms: Float[np.ndarray, "windows context"]
    kept: Bool[np.ndarray, "windows context"]
    """Neither special nor dropped."""
    excluded: Bool[np.ndarray, "windows context"]
    """Kept, and above the limit."""
    limit: float | None
    """Norm above which tokens are excluded."""


def panel(
    model: str, site: str, arrays: Mapping[str, np.ndarray], limits: Mapping[tuple[str, str], float | None]
) -> Panel:
    """A panel from norms.npz, and the limit of its site."""
    return Panel(f"{model}\n{site}", arrays["norms"], arrays["kept"], arrays["excluded"], limits[model, site])


def by_position(panels: Sequence[Panel]) -> Figure:
    """Every token a dot, norm against position, both logarithmic; a line has the median of each position."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = style.new_figure(height=0.7 + 2.2 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, each in zip(axes.flat, panels, strict=False):
        position = np.broadcast_to(1 + np.arange(each.norms.shape[1]), each.norms.shape)
        looks = (
            ("special or dropped", ~each.kept, style.GREY, "o", 2.0),
            ("used", each.kept & ~each.excluded, style.OURS, "o", 2.0),
            ("excluded", each.excluded, style.BASELINE, "D", 5.0),
        )
        for label, chosen, colour, marker, size in looks:
            axis.plot(
                position[chosen], each.norms[chosen], marker, color=colour, ms=size, mew=0, alpha=0.5, label=label,
                rasterized=True,
            )  # fmt: skip
        axis.plot(position[0], np.median(each.norms, 0), color="black", lw=1.0, label="median of the position")
        if each.limit is not None:
            axis.axhline(each.limit, color=style.BASELINE, lw=0.9, ls=(0, (4, 2)), label="limit")
        axis.set(title=each.title, xscale="log", yscale="log", xlabel="position in the window, from 1")
        style.log_axis(axis.xaxis)
        style.log_axis(axis.yaxis)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.supylabel("norm of the activations", fontsize="medium")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, markerscale=1.5)
    return figure
