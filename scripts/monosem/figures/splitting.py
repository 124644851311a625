"""Figures of feature splitting: parents and children, latents per context, families, a map, two latents' logits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style

KINDS = ("digits", "letters", "other")
"""Tokens of the logit scatter, by number."""
MARKS = ((style.ORANGE, "o"), (style.BLUE, "s"), ("#b5bac0", "."))


def _errors(row: Mapping[str, Any]) -> list[list[float]]:
    return [[row["value"] - row["low"]], [row["high"] - row["value"]]]


def children(document: Mapping[str, Any]) -> Figure:
    """Cover of a parent by the best child and by the union of the children: steps, all at once, and controls."""
    subjects = document["subjects"]
    names = [name for name in subjects if name.startswith("step_")]
    names += [name for name in ("widest", "permuted_model", "random_pairing") if name in subjects]
    size = {row["run"]: f"{row['d_sae']:,}" for row in document["widths"]}
    titles = {name: f"{size[subjects[name]['parents']]} → {size[subjects[name]['children']]}" for name in names
              if subjects[name]["children"] in size}  # fmt: skip
    titles |= {"permuted_model": "permuted model's\ndictionary", "random_pairing": "children of\nanother parent"}
    figure = style.new_figure(height=2.9)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.6, 1))
    marks = {"best_child_jaccard": ("best child", style.BASELINE, "s", 0.12), "union_jaccard": ("union of the children",
             style.OURS, "o", -0.12)}  # fmt: skip
    for key, (label, colour, marker, shift) in marks.items():
        for number, name in enumerate(names):
            row = subjects[name][key]
            if row["value"] is not None:
                at, where = (row["value"], -number + shift), label if number == 0 else None
                left.errorbar(*at, xerr=_errors(row), fmt=marker, color=colour, capsize=2, label=where)
    for number, name in enumerate(names):
        row = subjects[name]["split_share"]
        if row["value"] is not None:
            right.errorbar(row["value"], -number, xerr=_errors(row), fmt="D", color=style.GREEN, capsize=2)
    left.set(xlabel="Jaccard index with the parent, median", yticks=[-n for n in range(len(names))], xlim=(-0.02, 1))
    left.set_yticklabels([titles[name] for name in names])
    left.legend(loc="lower right")
    right.set(xlabel="parents that split", xlim=(min(-0.005, right.get_xlim()[0]), None))
    right.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    return figure


def context_latents(document: Mapping[str, Any]) -> Figure:
    """Latents that fire mostly within a context, by the width of the dictionary."""
    if not document["context_latents"]:
        return style.empty_figure("no labelled context occurs in the evaluated text")
    figure = style.new_figure(height=2.9)
    axes = figure.subplots()
    widths = {row["run"]: row["d_sae"] for row in document["widths"]}
    for number, (name, rows) in enumerate(document["context_latents"].items()):
        drawn = [(widths[run], rows[run]["count"]) for run in widths]
        spread = 1 + 0.03 * (number - 1.5)
        x = np.array([width for width, _ in drawn]) * spread
        y, low, high = (np.array([count[key] or 0.0 for _, count in drawn]) for key in ("value", "low", "high"))
        colour, marker = style.LABELS.get(name, style.GREY), "osD^vP"[number % 6]
        errors = [np.minimum(y - low, y), high - y]
        axes.errorbar(x, y, errors, color=colour, marker=marker, capsize=2, label=name)
        if "permuted_model" in rows:
            other = rows["permuted_model"]["count"]["value"] or 0.0
            axes.plot(max(widths.values()) * spread * 1.18, other, marker, color=colour, mfc="white")
    axes.set_xscale("log")
    axes.set(xlabel="latents of the dictionary", ylabel="latents of the context", ylim=(0, None))
    axes.set_xticks(list(widths.values()), [f"{width:,}" for width in widths.values()])
    axes.minorticks_off()
    axes.plot([], [], "o", color=style.GREY, mfc="white", label="permuted model's dictionary")
    axes.legend()
    return figure


def families(document: Mapping[str, Any]) -> Figure:
    """Descendants of some latents of the narrowest dictionary, a column per dictionary; latents by their top tokens."""
    if not document["families"]:
        return style.empty_figure("there is one dictionary only")
    shown = document["families"]
    heights = [max(map(len, family["nodes"])) for family in shown]
    figure = style.new_figure(height=0.5 + sum(0.17 * most + 0.35 for most in heights))
    axes = figure.subplots(len(shown), 1, squeeze=False, height_ratios=[most + 1.5 for most in heights])[:, 0]
    for axis, family, most in zip(axes, shown, heights, strict=True):
        place = {
            (column, latent): (column, -(row + 0.5) * most / len(level))
            for column, level in enumerate(family["nodes"])
            for row, latent in enumerate(level)
        }
        for column, parent, child, cosine in family["edges"]:
            (x, y), (to_x, to_y) = place[column, parent], place[column + 1, child]
            axis.plot([x + 0.42, to_x - 0.03], [y, to_y], color=style.SKY, lw=0.4 + 1.6 * cosine, zorder=1)
        for (column, latent), (x, y) in place.items():
            text = family["labels"][column][family["nodes"][column].index(latent)]
            axis.text(x, y, latent, fontsize=6.5, va="center", color=style.GREY)
            axis.text(x + 0.15, y, text, fontsize=6.5, va="center")  # apart: Arabic and Hebrew run from right to left
        axis.set(xlim=(-0.05, len(family["nodes"]) - 0.45), ylim=(-most, 0.4), title=family["name"])
        axis.set_axis_off()
    for column, row in enumerate(document["widths"]):
        axes[-1].text(column, -heights[-1] - 0.4, f"{row['d_sae']:,} latents", fontsize=7, color=style.GREY)
    return figure


def planar_map(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Decoder directions of the narrowest dictionaries in the plane; latents of the contexts in their colours."""
    figure = style.new_figure(height=4.6)
    axes = style.bare(figure.subplots())
    places, dictionary, latent = (arrays[f"map.{part}"] for part in ("places", "dictionary", "latent"))
    colours, sizes = ("#4d4d4d", "#b5bac0", "#d9dce0"), (14, 6, 3)
    for number in reversed(range(int(dictionary.max()) + 1)):
        row, chosen = document["widths"][number], dictionary == number
        label = f"{row['d_sae']:,} latents"
        axes.scatter(*places[chosen].T, s=sizes[number], color=colours[number], lw=0, label=label, rasterized=True)
        for name, rows in document["context_latents"].items():
            its = chosen & np.isin(latent, rows[row["run"]]["latents"])
            colour = style.LABELS.get(name, style.GREY)
            label = name if number == 0 else None
            axes.scatter(*places[its].T, s=3 * sizes[number], color=colour, edgecolor="black", lw=0.5, label=label)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def logit_scatter(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Logit weights of two latents of one context: what they share, and what tells them apart."""
    row = document["scatter"]
    if row is None:
        return style.empty_figure("no labelled context has two latents")
    figure = style.new_figure(height=3.4)
    axes = figure.subplots()
    for number in reversed(range(len(KINDS))):
        colour, marker = MARKS[number]
        points = arrays["scatter.logits"][:, arrays["scatter.kinds"] == number]
        axes.plot(*points, marker, ls="", color=colour, ms=3, alpha=0.6, label=KINDS[number], rasterized=True)
    labels = [
        f"logit weight, latent {latent}\n({' '.join(tokens[:6])})"
        for latent, tokens in zip(row["latents"], row["top_tokens"], strict=True)
    ]
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.axhline(0, color=style.GREY, lw=0.6)
    axes.axvline(0, color=style.GREY, lw=0.6)
    axes.set_title(f"two latents for {row['context']}: correlation {row['correlation']:.2f}")
    axes.legend()
    return figure
