"""The page of a feature: histograms by label and proxy, logit weights, dictionary vector, scatters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from scripts.monosem.figures import style

OWN = style.SKY
"""A context of natural text, on its page."""
PROXIES = ("below −5", "−5 to 0", "0 to 5", "5 to 20", "above 20")
"""Bins of the proxy, nats: edges are those of evaluation/features/proxy.py."""
INSIDE, OUTSIDE = style.BLUE, "#c3c8cd"


def _stack(axes: Axes, counts: Float[np.ndarray, "kinds bins"], edges: Float[np.ndarray, " edges"],
           colours: Sequence[str]) -> None:  # fmt: skip
    """Stacked histogram, the first kind at the bottom."""
    bottom = np.zeros(counts.shape[1])
    for row, colour in zip(counts, colours, strict=True):
        if row.any():
            axes.stairs(bottom + row, edges, baseline=bottom, fill=True, color=colour, lw=0, rasterized=True)
            bottom = bottom + row
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(float(bottom.max()) * 1.05, 1e-9))
    axes.grid(axis="x", visible=False)


def _colours(labels: Sequence[str]) -> list[str]:
    """Colour of each kind of token."""
    return [style.LABELS.get(label, OWN) for label in labels]


def _own_first(counts: np.ndarray, feature: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Rows and colours of labels, the page's context at the bottom."""
    labels, colours = feature["labels"], _colours(feature["labels"])
    order = sorted(range(len(labels)), key=lambda i: (labels[i] != feature["context"], i))
    return counts[order].astype(float), [colours[i] for i in order]


def _weights(axes: Axes, page: Mapping[str, np.ndarray], unit: str) -> None:
    """Logit weights of usual tokens, those of the context coloured; on a logarithmic axis, as few are."""
    axes.set_xlabel("logit weight")
    if f"{unit}.logits.counts" not in page:
        axes.annotate("the site has none", (0.5, 0.5), xycoords="axes fraction", ha="center", color=style.GREY)
        return
    edges, (outside, inside) = page[f"{unit}.logits.edges"], page[f"{unit}.logits.counts"]
    axes.stairs(outside, edges, fill=True, color=OUTSIDE, lw=0)
    axes.stairs(inside, edges, fill=True, color=INSIDE, alpha=0.75, lw=0)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)


def _histograms(
    axes: Sequence[Axes], page: Mapping[str, np.ndarray], unit: str, title: str, feature: Mapping[str, Any]
) -> None:
    """Tokens by activation, activation mass by activation, and logit weights of one unit."""
    edges, context = page[f"{unit}.edges"], feature["context"]
    row = None if context is None else feature["labels"].index(context)
    for panel, part, label in zip(axes, ("counts", "mass"), ("tokens", "summed activation"), strict=False):
        rows, colours = _own_first(page[f"{unit}.{part}.label"], feature)
        _stack(panel, rows, edges, colours)
        panel.set_xlabel("activation")
        panel.set_ylabel(label, fontsize=7.5)
    total, inside = page[f"{unit}.counts.label"].sum(), None
    if row is not None:
        inside = page[f"{unit}.counts.label"][row].sum() / max(total, 1)
    share = f"{int(total):,} tokens" if inside is None else f"{100 * inside:.0f} % of {int(total):,} in context"
    axes[0].set_title(f"{title}: {share}", fontsize=7.5)
    if row is not None:
        mass = page[f"{unit}.mass.label"]
        axes[1].set_title(f"{100 * mass[row].sum() / max(mass.sum(), 1e-9):.0f} % in context",
                          fontsize=8)  # fmt: skip
    _weights(axes[2], page, unit)


def _proxies(axes: Sequence[Axes], page: Mapping[str, np.ndarray], pearson: float) -> None:
    """Tokens and summed activation of the latent by the context's proxy, high proxies at the bottom."""
    for panel, part, label in zip(axes, ("counts", "mass"), ("tokens", "summed activation"), strict=True):
        rows = page[f"latent.{part}.proxy"][::-1].astype(float)
        _stack(panel, rows, page["latent.edges"], style.sequence(len(PROXIES))[::-1])
        panel.set_xlabel("activation")
        panel.set_ylabel(label, fontsize=7.5)
    axes[0].set_title(f"latent, by log-likelihood proxy (correlation {pearson:.2f})", fontsize=7.5)


def _vector(axes: Axes, vector: Float[np.ndarray, " d"], neuron: int) -> None:
    """Dictionary vector in the neuron basis, largest coefficients first, the most correlated neuron marked."""
    order = np.argsort(-np.abs(vector))
    shown = vector[order][:120]
    axes.stairs(shown, np.arange(len(shown) + 1) - 0.5, baseline=0, fill=True, color=style.OURS, lw=0)
    place = int(np.flatnonzero(order == neuron)[0])
    if place < len(shown):
        axes.bar(place, shown[place], width=1.0, color=style.BASELINE, lw=0)
    axes.axhline(0, color=style.GREY, lw=0.6)
    axes.set_title(
        f"dictionary vector, neurons by absolute coefficient; neuron {neuron} is number {place + 1}", fontsize=8
    )
    axes.set(xlabel="neuron, by rank", ylabel="coefficient", xlim=(-1, len(shown)))


def page(feature: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """One page: the latent, its proxy, the most correlated neuron, the dictionary vector, and both scatters.

    Args:
        feature: an entry of features.json.
        arrays: its arrays, by their names without the page's.
    """
    has_proxy = "latent.counts.proxy" in arrays
    figure = style.new_figure(height=8.8 if has_proxy else 7.2)
    grid = figure.add_gridspec(4 + has_proxy, 6)
    rows = [[figure.add_subplot(grid[row, 2 * i : 2 * i + 2]) for i in range(3)] for row in (0, 1 + has_proxy)]
    _histograms(rows[0], arrays, "latent", f"latent {feature['latent']}", feature)
    _histograms(rows[1], arrays, "neuron", f"neuron {feature['neuron']}", feature)
    if has_proxy:
        _proxies([figure.add_subplot(grid[1, 3 * i : 3 * i + 3]) for i in range(2)], arrays, feature["proxy_pearson"])
    _vector(figure.add_subplot(grid[-2, :]), arrays["vector"], feature["neuron"])
    activations, logits = (figure.add_subplot(grid[-1, 3 * i : 3 * i + 3]) for i in range(2))
    colours = np.array(_colours(feature["labels"]))[arrays["scatter.labels"]]
    activations.scatter(arrays["scatter.x"], arrays["scatter.y"], c=colours, s=3, lw=0, rasterized=True)
    activations.set(xlabel=f"activation of latent {feature['latent']}", ylabel=f"of neuron {feature['neuron']}")
    activations.set_title(f"activations, correlation {feature['neuron_pearson']:.2f}", fontsize=8)
    logits.set(xlabel=f"logit weight of latent {feature['latent']}", ylabel=f"of neuron {feature['neuron']}")
    if "inside" in arrays:
        inside = arrays["inside"].astype(bool)
        blue = "; in context: blue" if inside.any() else ""
        for part, colour in ((~inside, OUTSIDE), (inside, INSIDE)):
            logits.scatter(arrays["latent.weights"][part], arrays["neuron.weights"][part], c=colour, s=3, lw=0,
                           rasterized=True)  # fmt: skip
        logits.set_title(f"logit weights, correlation {feature['logit_pearson']:.2f}{blue}", fontsize=8)
    labels = feature["labels"]
    keys = [(labels, _colours(labels), "outside lower left")]
    if has_proxy:
        keys.append((PROXIES, style.sequence(len(PROXIES)), "outside lower right"))
    for names, shades, place in keys:
        title = "label" if names is labels else "proxy, nats"
        figure.legend([Patch(color=shade) for shade in shades], names, loc=place, ncols=6, title=title,
                      columnspacing=1.0, handlelength=1.2)  # fmt: skip
    return figure
