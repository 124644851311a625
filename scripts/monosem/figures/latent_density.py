"""Figures of how often latents fire: density histograms, and density against encoder bias and direction."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from scripts.monosem.figures import style


def density(densities: Mapping[str, Float[np.ndarray, " latent"]], n_tokens: int) -> Figure:
    """Histogram of log10 density per autoencoder; latents that never fired are counted in the title, not drawn.

    Args:
        densities: share of evaluated tokens on which each latent is above zero.
        n_tokens: evaluated tokens; below ten firings a density is a guess, and that range is shaded.
    """
    columns = min(3, len(densities))
    rows = -(-len(densities) // columns)
    figure = style.new_figure(height=0.6 + 1.6 * rows)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    lowest = np.floor(np.log10(1 / n_tokens))
    bins = np.linspace(lowest, 0, 41)
    for axis, (name, values) in zip(axes.flat, densities.items(), strict=False):
        alive = values[values > 0]
        axis.stairs(np.histogram(np.log10(alive), bins)[0], bins, fill=True, color=style.OURS)
        axis.axvspan(lowest, np.log10(10 / n_tokens), color=style.GREY, alpha=0.18, lw=0)
        few = int((alive * n_tokens < 10).sum())
        axis.set_title(
            f"{name} ({len(values):,} latents)\n{len(values) - len(alive):,} never fire, {few:,} fire < 10 times",
            fontsize=6.5,
        )
        axis.set_xlim(lowest, 0)
    for axis in axes.flat[len(densities) :]:
        axis.set_visible(False)
    figure.supxlabel("log₁₀ of density (share of tokens a latent fires on)", fontsize="medium")
    figure.supylabel("latents", fontsize="medium")
    return figure


def density_bias_cosine(
    density: Float[np.ndarray, " latent"],
    bias: Float[np.ndarray, " latent"],
    cosine: Float[np.ndarray, " latent"],
    name: str,
) -> Figure:
    """Encoder bias and encoder·decoder cosine against density, which separate ultralow-density latents."""
    figure = style.new_figure(height=3.0)
    axes = figure.subplots(1, 2)
    alive = density > 0
    x = np.log10(np.where(alive, density, 1.0))
    for axis, values, label in zip(
        axes, (bias, cosine), ("encoder bias", "cosine of encoder and decoder vector"), strict=True
    ):
        axis.scatter(x[alive], values[alive], s=5, color=style.OURS, alpha=0.45, lw=0, rasterized=True)
        if (~alive).any():
            position = x[alive].min() - 0.35 if alive.any() else 0
            axis.scatter(
                np.full((~alive).sum(), position), values[~alive], s=5, color=style.BASELINE, alpha=0.45, lw=0,
                rasterized=True, label=f"never fires ({(~alive).sum():,})",
            )  # fmt: skip
            axis.legend(loc="best")
        axis.set(xlabel="log₁₀ of density", ylabel=label)
    axes[0].set_title(f"{name}: one point per latent")
    return figure
