"""Figure of how the autoencoders of a site train."""

from collections.abc import Mapping, Sequence
from itertools import cycle, product

from matplotlib.figure import Figure

from scripts.monosem.figures import style


def training_curves(curves: Mapping[str, Sequence[Mapping]], measures: Mapping[str, str]) -> Figure:
    """Training curves of the autoencoders of a site: one panel per logged measure, one line per run.

    Args:
        curves: per run the lines of training.jsonl, with `vectors`.
        measures: key of the lines -> label of the axis.
    """
    figure = style.new_figure(height=2.8)
    axes = figure.subplots(1, len(measures), squeeze=False)
    for axis, (key, label) in zip(axes[0], measures.items(), strict=True):
        looks = cycle(product(("-", "--", ":"), style.CYCLE))
        for (name, lines), (dashes, colour) in zip(curves.items(), looks, strict=False):
            drawn = [(line["vectors"] / 1e6, line[key]) for line in lines if line.get(key) is not None]
            if drawn:
                axis.plot(*zip(*drawn, strict=True), dashes, color=colour, lw=1.2, label=name)
        axis.set(xlabel="vectors trained on (millions)", ylabel=label)
        axis.set_xlim(left=0)
        if key == "l0":  # a ReLU autoencoder starts with half of its latents active
            axis.set_yscale("log")
        if key == "explained_variance":  # a start below zero, worse than the mean, would squeeze the rest
            axis.set_ylim(bottom=0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, max(len(names), 1)))
    return figure
