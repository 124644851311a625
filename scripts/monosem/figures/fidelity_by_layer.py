"""Figure of fidelity by layer: nats beside percentages."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from scripts.monosem.evaluation.fidelity.by_layer import columns, reference_row
from scripts.monosem.figures import style
from scripts.monosem.models.site_names import layer_of

LEAST_SHARE = -1.0
"""Lower end of the axis of shares: a percentage of a small gap can be any number."""

LOOKS = {
    "zero_ablation": (style.GREY, "s", style.GREY, "zero ablation (the gap)"),
    "mean_ablation": (style.GREY, "s", "white", "mean ablation"),
    "random_dictionary": (style.BASELINE, "v", "white", "random dictionary"),
    "other_layer_sae": (style.BASELINE, "o", style.BASELINE, "autoencoder of another layer"),
    "layer": (style.OURS, "o", style.OURS, "autoencoder of the layer"),
}
"""Row of a fidelity.json -> colour, marker, filling, label."""


def layers(documents: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss added in nats (left, logarithmic) and loss recovered (right) by layer, with 95 % intervals."""
    by_place = columns(documents)
    if not by_place:
        return style.empty_figure("no place of this model has autoencoders at two layers")
    figure = style.new_figure(height=0.6 + 2.6 * len(by_place))
    axes = figure.subplots(len(by_place), 2, squeeze=False)
    for (left, right), column in zip(axes, by_place, strict=True):
        numbers = [layer_of(document["site"])[0] for document in column]
        for name, (colour, marker, filling, words) in LOOKS.items():
            rows = [
                reference_row(document) if name == "layer" else document["baselines"].get(name) for document in column
            ]
            for axis, key in ((left, "ce_increase_nats"), (right, "ce_loss_score")):
                drawn = [(x, row) for x, row in zip(numbers, rows, strict=True) if row and row[key] is not None]
                if name == "zero_ablation" and axis is right:
                    continue
                for x, row in drawn:
                    ends = row.get(f"{key}_low"), row.get(f"{key}_high")
                    if None not in ends:
                        axis.plot([x, x], ends, color=colour, lw=1.6, alpha=0.6)
                style_of = {"color": colour, "marker": marker, "mfc": filling, "lw": 1.0, "ms": 5}
                axis.plot([x for x, _ in drawn], [row[key] for _, row in drawn], **style_of, label=words)
        shown = [reference_row(document)["explained_variance"] for document in column]
        right.plot(
            numbers, shown, "--", color=style.OURS, marker="D", mfc="white", lw=1.0, ms=4, label="variance explained"
        )
        _, inner = layer_of(column[0]["site"])
        left.set(title=inner, xlabel="layer", ylabel="loss added (nats per token)", yscale="log", xticks=numbers)
        style.log_axis(left.yaxis)
        lowest = min(right.get_ylim()[0], 0.0)
        right.set(
            title="loss recovered, of the gap", xlabel="layer", xticks=numbers, ylim=(max(lowest, LEAST_SHARE), 1.03)
        )
        style.percent_axis(right.yaxis)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    more, words = axes[0, 1].get_legend_handles_labels()
    figure.legend([*handles, more[-1]], [*labels, words[-1]], loc="outside lower center", ncols=3)
    return figure
