"""One look for every figure: sizes, fonts, colours and their meaning, axes, and a saver for svg and png.

Figures are made with matplotlib's object interface on the Agg canvas (no pyplot: it costs a second of start-up).
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, LogLocator, NullFormatter

from scripts.monosem.core import artefacts
from scripts.monosem.figures.canvas import Canvas
from scripts.monosem.text.visible import code_points

WIDTH = 7.0
"""Inches: the text width of the report."""

PNG_DPI = 130
MAX_IMAGE_BYTES = 200_000

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#7A7A7A",
)  # fmt: skip
"""Okabe and Ito's palette, distinguishable with every common form of colour blindness; grey for references."""

CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)

OURS = BLUE
"""The autoencoder, its latents, a whole model."""
BASELINE = VERMILION
"""Neurons and other baselines."""
LABELS = {"natural": "#c3c8cd", "arabic": BLUE, "hebrew": ORANGE, "dna": GREEN, "base64": PURPLE}
"""Colour of each label of a token."""

DIVERGING = "RdBu_r"
"""Colour map for signed values; give it symmetric limits."""
SEQUENTIAL = "viridis"
"""Colour map for values that start at zero."""
SIGNED = Normalize(-1.0, 1.0)
"""Scale of weights, biases and cosines in the colours of DIVERGING."""
REFERENCE_LINE = {"linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}
"""Dashed line at a bound or a value of theory."""

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.parse_math": False,  # a dollar sign in a token is a dollar sign
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "monosem",
}


def use() -> None:
    """Make this style matplotlib's default, e.g. at the top of a notebook."""
    matplotlib.rcParams.update(RC)


def new_figure(height: float, width: float = WIDTH, layout: str | None = "constrained") -> Figure:
    """An empty figure, sizes in inches; `layout` None for axes placed by hand (many small ones: faster)."""
    use()
    figure = Figure(figsize=(width, height), layout=layout)
    Canvas(figure)
    return figure


def bare(axes: Axes) -> Axes:
    """Axes of an image: no grid, no ticks, a thin frame."""
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color="#999999")
    return axes


def empty_figure(reason: str) -> Figure:
    """A figure that states why there is nothing to draw."""
    figure = new_figure(height=1.2)
    axes = figure.subplots()
    axes.annotate(reason, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY)
    axes.set_axis_off()
    return figure


def sequence(n: int) -> list[str]:
    """n colours from light to dark, for an ordered quantity such as width."""
    colours = matplotlib.colormaps[f"{SEQUENTIAL}_r"]
    return [matplotlib.colors.to_hex(colours(0.2 + 0.7 * i / max(n - 1, 1))) for i in range(n)]


def percent_axis(axis: Axis) -> None:
    """Show shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def log_axis(axis: Axis) -> None:
    """Set the ticks of a logarithmic axis at 1, 2, 5, 10, … in plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


_SUPERSCRIPTS = str.maketrans("-\u2212.0123456789", "⁻⁻·⁰¹²³⁴⁵⁶⁷⁸⁹")


class Powers(LogFormatterSciNotation):
    """Ticks of a logarithmic axis as 10⁻² or 2×10⁻², in plain characters instead of mathtext."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Label of a tick."""
        label = super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")
        return re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(_SUPERSCRIPTS), label).replace(r"\times", "×")


def _plain_ticks_(figure: Figure) -> None:
    """Replace matplotlib's mathtext on the logarithmic axes of `figure`."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        major, minor = axis.get_major_formatter(), axis.get_minor_formatter()
        if type(major) is LogFormatterSciNotation:
            axis.set_major_formatter(Powers(labelOnlyBase=major.labelOnlyBase))
        if type(minor) is LogFormatterSciNotation:
            axis.set_minor_formatter(Powers(labelOnlyBase=minor.labelOnlyBase))


_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]+")


def _svg(figure: Figure) -> str:
    """The figure as SVG whose text is text, so that the fonts of its reader draw it; by number what XML cannot hold."""
    file = StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _NOT_IN_XML.sub(lambda match: code_points(match.group()), file.getvalue())


def save_figure(figure: Figure, path_without_suffix: str | Path) -> tuple[Path, Path]:
    """Write `….svg` (text as text, the same bytes each time) and `….png`, both atomically.

    Raises: ArtefactError when an image is larger than MAX_IMAGE_BYTES: draw fewer points, or rasterise them.
    """
    base = Path(path_without_suffix)
    svg, png = base.with_name(base.name + ".svg"), base.with_name(base.name + ".png")
    _plain_ticks_(figure)
    for path in (svg, png):
        with artefacts.atomic_path(path) as temporary, matplotlib.rc_context(RC):
            if path is svg:
                temporary.write_text(_svg(figure), encoding="utf-8", newline="\n")
            else:
                figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})
            if temporary.stat().st_size > MAX_IMAGE_BYTES:
                size, most = (artefacts.human_bytes(n) for n in (temporary.stat().st_size, MAX_IMAGE_BYTES))
                raise artefacts.ArtefactError(f"{path}: {size}, above {most}; draw fewer or rasterised marks")
    return svg, png


def save_figures(drawn: Mapping[str, Callable[[], Figure]], paths: Iterable[str]) -> None:
    """Draw and save the figures that `paths` (….svg, named by figure) ask for, one after the other."""
    for path in paths:
        save_figure(drawn[Path(path).stem](), path.removesuffix(".svg"))
