"""Figures that compare sites: linear CKA of layers and models, and latents with their best partner elsewhere."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style
from scripts.monosem.models.site_names import layer_of


def site_label(site: str) -> str:
    """`blocks.2.hook_resid_post` -> `block 2`, `blocks.2.mlp.hook_post` -> `MLP 2`."""
    if site == "blocks.0.hook_resid_pre":
        return "input"
    layer, place = layer_of(site)
    return f"{ {'mlp.hook_post': 'MLP', 'hook_resid_post': 'block'}.get(place, place) } {layer}"


def cka(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Debiased CKA of all layers with each other, and with those of every other model."""
    names = [str(name) for name in arrays["layers/sites"]]
    panels = {document["model"]: arrays["layers/cka"]}
    panels |= {peer: arrays[f"layers/{peer}.cka"] for peer in document["peers"]}
    if len(panels) > 1:
        figure = style.new_figure(height=1.6 + min(3.0, 0.24 * len(names)))
    else:
        figure = style.new_figure(height=4.2, width=5.2)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (other, matrix) in zip(axes, panels.items(), strict=True):
        image = axis.imshow(matrix, cmap=style.SEQUENTIAL, vmin=0, vmax=1, aspect="equal")
        axis.set(title="layers of one model" if other == document["model"] else f"and {other}")
        labels = [site_label(name) for name in names]
        axis.set_xticks(range(len(names)), labels, rotation=90)
        axis.set_yticks(range(len(names)), labels if axis is axes[0] else [])
        axis.grid(False)
        axis.tick_params(length=0)
        if len(names) <= 10:
            for (row, column), value in np.ndenumerate(matrix):
                colour = "white" if value < 0.6 else "black"
                axis.annotate(
                    f"{value:.2f}".lstrip("0"), (column, row), ha="center", va="center", fontsize=6.5, color=colour
                )
    axes[0].set_ylabel(document["model"])
    figure.colorbar(image, ax=list(axes), label="linear CKA (debiased)", shrink=0.8)
    return figure


def matched(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Distribution of the correlation of latents with their best partner at another site, beside permuted tokens."""
    pairs = list(document["matched"])
    if not pairs:
        return style.empty_figure("this model has autoencoders at fewer than two sites")
    figure = style.new_figure(height=2.7)
    axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for axis, pair in zip(axes, pairs, strict=True):
        true, permuted = arrays[f"layers/{pair}.matched"]
        share = np.arange(1, len(true) + 1) / len(true)
        axis.plot(true, share, color=style.OURS, label="best partner, held out")
        axis.plot(permuted, share, color=style.GREY, ls="--", label="tokens permuted (control)")
        left, right = (site_label(name) for name in pair.split(">"))
        axis.set(title=f"latents of {left} at {right}", xlabel="correlation", xlim=(-0.1, 1.02), ylim=(0, 1))
    axes[0].set_ylabel("share of latents below")
    style.percent_axis(axes[0].yaxis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
