"""Figure of fidelity against L0: autoencoders by architecture and width, and the baselines at equal L0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scripts.monosem.evaluation.fidelity.document import in_sweeps
from scripts.monosem.figures import style
from scripts.monosem.figures.fidelity import BASELINES, MARKERS
from scripts.monosem.sae.architectures import ARCHITECTURES

BASELINE_MARKERS = "xP*v"


AT_EQUAL_L0 = ("top_neurons_about_mean", "top_neurons", "pca", "random_dictionary")


@dataclass(frozen=True)
class Point:
    """One autoencoder, or one baseline, at one site."""

    name: str
    """Name of the run or of the baseline."""
    architecture: str
    """"" for a baseline."""
    width: int | None
    """Number of latents; None for a baseline."""
    l0: float
    """Latents per token, or numbers per token that a baseline keeps."""
    ce_increase_nats: float
    """Nats per token added to the clean loss."""
    explained_variance: float | None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest of the seeds, by measure, where a run was repeated."""
    starts_ablation: bool = False
    """True for a variant of an ablation, which may be trained differently from its neighbours."""


SET = ("d_sae", "k", "l1_coefficient", "l0_coefficient")
"""Settings that place an autoencoder on the frontier."""


def points(document: Mapping[str, Any]) -> list[Point]:
    """The autoencoders of a fidelity.json, then its baselines at equal L0.

    Of a sweep the first variant is drawn, and those that differ from it in width or sparsity, each as the mean of its
    seeds.
    """
    swept = in_sweeps(document)
    runs = [
        (name, row["architecture"], row["d_sae"], row) for name, row in document["runs"].items() if name not in swept
    ]
    others = [(BASELINES[key], "", None, document["baselines"].get(key)) for key in AT_EQUAL_L0]
    alone = [
        Point(name, group, width, row["l0"], row["ce_increase_nats"], row["explained_variance"])
        for name, group, width, row in [*runs, *others]
        if row
    ]
    return [*(point for sweep in document.get("sweeps", {}) for point in _repeated(sweep, document)), *alone]


def _repeated(sweep: str, document: Mapping[str, Any]) -> list[Point]:
    variants, runs = document["sweeps"][sweep], document["runs"]
    settings = {name: [runs[variant["runs"][0]].get(key) for key in SET] for name, variant in variants.items()}
    first = next(iter(variants))
    drawn = [name for name in variants if name == first or settings[name] != settings[first]]
    ablated = len(drawn) < len(variants)
    measures = ("ce_increase_nats", "explained_variance")
    points = []
    for name in drawn:
        variant = variants[name]
        example = runs[variant["runs"][0]]
        ranges = {key: (variant[key]["lowest"], variant[key]["highest"]) for key in measures}
        means = (variant[key]["mean"] for key in ("l0", *measures))
        points.append(Point(sweep, example["architecture"], example["d_sae"], *means, ranges, ablated))
    return points


def frontier(points: Sequence[Point]) -> Figure:
    """Nats added and variance explained against L0, by architecture (marker) and width (colour)."""
    figure = style.new_figure(height=3.8)
    axes = figure.subplots(1, 2)
    widths = sorted({point.width for point in points if point.width})
    colours = dict(zip(widths, style.sequence(len(widths)), strict=True))
    lines: dict[tuple, list[Point]] = {}  # the start of an ablation is a separate line
    for point in sorted(points, key=lambda point: point.l0):
        if point.width:
            lines.setdefault((point.architecture, point.width, point.name if point.starts_ablation else ""), []).append(
                point
            )
    baselines = [point for point in points if not point.width]
    for axis, measure in zip(axes, ("ce_increase_nats", "explained_variance"), strict=True):
        for (architecture, width, _), line in lines.items():
            axis.plot(
                [point.l0 for point in line], [getattr(point, measure) for point in line],
                color=colours[width], marker=MARKERS[architecture], ms=6, mec="white", lw=0.8,
            )  # fmt: skip
        for point in points:
            if measure in point.ranges:
                axis.plot([point.l0] * 2, point.ranges[measure], color=colours[point.width], lw=2.4, alpha=0.6)
        for point, marker in zip(baselines, BASELINE_MARKERS, strict=False):
            if getattr(point, measure) is not None:
                axis.plot(point.l0, getattr(point, measure), marker, color=style.GREY, ms=6)
        axis.set(xscale="log", xlabel="L0 (numbers per token)")
        style.log_axis(axis.xaxis)
    axes[0].set(ylabel="loss added (nats per token)", yscale="log")
    style.log_axis(axes[0].yaxis)
    lowest = min((p.explained_variance for p in points if p.width and p.explained_variance is not None), default=0)
    axes[1].set(ylabel="variance explained", ylim=(min(0, lowest) - 0.03, 1))
    architectures = sorted({architecture for architecture, _, _ in lines})
    handles = [
        *(Line2D([], [], color=colours[width], lw=3, label=f"{width:,} latents") for width in widths),
        *(_mark(MARKERS[architecture], ARCHITECTURES[architecture].label, "black") for architecture in architectures),
        *(_mark(m, p.name, style.GREY) for p, m in zip(baselines, BASELINE_MARKERS, strict=False)),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _mark(marker: str, label: str, colour: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, ls="", ms=6, label=label)
