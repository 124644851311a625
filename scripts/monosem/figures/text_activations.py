"""Figure of the neurons and latents that fire on one text, token by token."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.monosem.figures import style


def _heat_map(axis: Axes, part: Mapping[str, Any], title: str) -> Any:
    values = np.array(part["activations"])
    shown = values / np.maximum(values.max(0, initial=0), 1e-9)
    order = np.argsort(values.argmax(0), kind="stable")
    image = axis.imshow(shown[:, order], aspect="auto", cmap="Greens", vmin=0, vmax=1)
    axis.set_xticks(range(len(order)), np.array(part["index"])[order], rotation=90, fontsize=6)
    axis.set_title(title)
    axis.tick_params(length=0)
    axis.grid(False)
    return image


def text(part: Mapping[str, Any], site: str) -> Figure:
    """One text: tokens x neurons, tokens x latents, and the strongest latents with the token they fire on most."""
    names = part["tokens"]
    figure = style.new_figure(height=max(3.2, 1.2 + 0.145 * len(names)))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.75))
    _heat_map(left, part["neurons"], "dimensions" if "resid" in site else "neurons")
    image = _heat_map(middle, part["latents"], "latents")
    left.set_yticks(range(len(names)), names, fontsize=6.5, family="monospace")
    middle.set_yticks([])
    best = part["top_latents"]
    right.barh(range(len(best)), [row["max_activation"] for row in best], color=style.OURS, height=0.7)
    labels = [f"{row['latent']} {row['strongest_on']}" for row in best]
    right.set_yticks(range(len(best)), labels, fontsize=6.5, family="monospace")
    right.set_ylim(len(best) - 0.4, -0.6)
    right.set(xlabel="largest activation", title="strongest latents")
    right.grid(axis="y", visible=False)
    figure.colorbar(
        image, ax=[left, middle], location="bottom", shrink=0.5, aspect=40, label="activation / its maximum"
    )
    return figure
