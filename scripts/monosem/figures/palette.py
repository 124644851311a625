"""What each colour means in the figures of models, fidelity and interpretation, and axes of shares and logarithms."""

import matplotlib
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from scripts.monosem.figures import style

OURS = style.BLUE  # the autoencoder, its latents, a whole model
BASELINE = style.VERMILION  # neurons and other baselines
GREY = style.GREY  # references and controls
LABELS = {
    "natural": "#c3c8cd",
    "arabic": style.BLUE,
    "hebrew": style.ORANGE,
    "dna": style.GREEN,
    "base64": style.PURPLE,
}


def sequence(n: int) -> list[str]:
    """n colours from light to dark, for an ordered quantity such as width."""
    colours = matplotlib.colormaps[f"{style.SEQUENTIAL}_r"]
    return [matplotlib.colors.to_hex(colours(0.2 + 0.7 * i / max(n - 1, 1))) for i in range(n)]


def percent_axis(axis: Axis) -> None:
    """Shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def log_axis(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2, 5, 10, … in plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
