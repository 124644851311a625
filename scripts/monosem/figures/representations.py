"""Figures of representations, layer by layer: statistics, similarity of tokens, positions, words."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import representation_layers, style, text_activations
from scripts.monosem.models.site_names import layer_of


def blocks_passed(site: str) -> int:
    """Number of blocks before a site in the residual stream."""
    layer, place = layer_of(site)
    return layer if place.endswith("resid_pre") else layer + 1


def residual_sites(document: Mapping[str, Any]) -> list[str]:
    """Sites in the residual stream, in order."""
    return [name for name in document["sites"] if "resid" in name]


def statistics(document: Mapping[str, Any]) -> Figure:
    """Norm, sparsity, kurtosis and outliers by layer; the residual stream also in a random basis."""
    sites, stream = document["sites"], residual_sites(document)
    neurons = [name for name in sites if name.endswith("mlp.hook_post")]
    figure = style.new_figure(height=4.2)
    axes = figure.subplots(2, 2).flat
    measures = {
        "norm": "norm",
        "hoyer_sparsity": "sparsity (Hoyer)",
        "excess_kurtosis": "excess kurtosis",
        "largest_rms_over_median": "largest rms of a dimension / median",
    }
    for axis, (key, title) in zip(axes, measures.items(), strict=True):
        x = [blocks_passed(name) for name in stream]
        axis.plot(x, [sites[name][key] for name in stream], "o-", color=style.OURS, label="residual stream")
        if key in sites[stream[0]].get("rotated", {}):
            rotated = [sites[name]["rotated"][key] for name in stream]
            axis.plot(x, rotated, "o--", color=style.GREY, mfc="white", label="in a random basis")
        at = [layer_of(name)[0] + 0.5 for name in neurons]
        axis.plot(at, [sites[name][key] for name in neurons], "s:", color=style.BASELINE, label="MLP neurons")
        axis.set(title=title, xlabel="blocks passed", xticks=_ticks(len(stream)))
        if key == "norm":
            axis.set_yscale("log")
            style.log_axis(axis.yaxis)
        else:
            axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
    handles, labels = figure.axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _ticks(n: int) -> list[int]:
    return list(range(0, n, max(1, -(-n // 9))))


KINDS = {
    "same_token": ("same token elsewhere", style.BLUE, "o"),
    "same_context": ("other token, same context", style.GREEN, "s"),
    "same_position": ("other token, same position", style.PURPLE, "^"),
}


def similarity(document: Mapping[str, Any]) -> Figure:
    """Mean cosines of pairs of tokens by layer, less anisotropy, with 95 % intervals; anisotropy beside them."""
    sites, stream = document["sites"], residual_sites(document)
    x = np.array([blocks_passed(name) for name in stream])
    figure = style.new_figure(height=3.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    for kind, (label, colour, marker) in KINDS.items():
        rows = [sites[name] for name in stream]
        middle = np.array([np.nan if row[kind] is None else row[kind] for row in rows])
        low, high = (
            np.array([np.nan if row[f"{kind}_{end}"] is None else row[f"{kind}_{end}"] for row in rows])
            for end in ("low", "high")
        )
        left.errorbar(x, middle, [middle - low, high - middle], color=colour, marker=marker, capsize=2, label=label)
        permuted = [row["permuted"][kind] for row in rows]
        left.plot(x, [np.nan if v is None else v for v in permuted], marker, ls="--", lw=0.8, color=colour, mfc="white")
    left.plot([], [], "o--", lw=0.8, color=style.GREY, mfc="white", label="permuted (control)")
    left.set(title="mean cosine less anisotropy", xlabel="blocks passed", xticks=_ticks(len(x)))
    right.plot(x, [sites[name]["anisotropy"] for name in stream], "o-", color=style.GREY)
    right.set(title="anisotropy: two unrelated tokens", xlabel="blocks passed", xticks=_ticks(len(x)))
    right.set_ylim(min(0, right.get_ylim()[0]), 1)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def positions(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """Norm, similarity and predicted position along the window, per layer; R² of the position by layer."""
    stream = residual_sites(document)
    colours = style.sequence(len(stream))
    figure = style.new_figure(height=4.6)
    norm, alike, read, r2 = figure.subplots(2, 2).flat
    for name, colour in zip(stream, colours, strict=True):
        for axis, key in ((norm, "norm_by_position"), (alike, "similarity_by_position"), (read, "predicted_position")):
            values = arrays[f"similarity/{name}.{key}"]
            scale = np.median(values[2:]) if key == "norm_by_position" else 1.0
            axis.plot(np.arange(len(values)), values / scale, color=colour, lw=1.1, label=f"{blocks_passed(name)}")
    n = len(arrays[f"similarity/{stream[0]}.predicted_position"])
    read.plot([0, n - 1], [0, n - 1], color=style.GREY, ls=(0, (4, 3)), lw=0.9)
    norm.set(title="norm / median norm", ylim=(0, None))
    alike.set(title="mean cosine at equal position", ylim=(min(0, alike.get_ylim()[0]), None))
    read.set(title="position read off (held-out windows)")
    for axis in (norm, alike, read):
        axis.set_xlabel("position in the window")
    rows = [document["sites"][name] for name in stream]
    x = [blocks_passed(name) for name in stream]
    r2.plot(x, [row["position_r2"] for row in rows], "o-", color=style.OURS, label="position")
    r2.plot(
        x,
        [row["position_r2_permuted"] for row in rows],
        "o--",
        color=style.GREY,
        mfc="white",
        label="permuted (control)",
    )
    r2.set(
        title="R² of the position",
        xlabel="blocks passed",
        xticks=_ticks(len(x)),
        ylim=(min(-0.15, *r2.get_ylim()), 1.03),
    )
    r2.legend()
    handles, labels = norm.get_legend_handles_labels()
    step = max(1, len(labels) // 7)
    figure.legend(handles[::step], labels[::step], title="blocks passed", loc="outside right upper")
    return figure


def words(document: Mapping[str, Any]) -> Figure:
    """Mean cosine within groups of similar words by layer, beside permutations of equal frequency."""
    if "words" not in document:
        return style.empty_figure("this tokenizer keeps the words of too few groups whole")
    sites = document["words"]["sites"]
    x = [blocks_passed(name) for name in sites]
    figure = style.new_figure(height=2.7)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (kind, title) in zip(axes, {"in_context": "in context", "alone": "word alone"}.items(), strict=True):
        rows = [row[kind] for row in sites.values()]
        axis.plot(x, [row["similar"] for row in rows], "o-", color=style.OURS, label="words of one group")
        axis.plot(x, [row["control"] for row in rows], "o--", color=style.GREY, mfc="white", label="permuted, mean")
        low, high = ([row[f"control_{end}"] for row in rows] for end in ("low", "high"))
        axis.fill_between(x, low, high, color=style.GREY, alpha=0.25, lw=0, label="permuted, 95 % interval")
        axis.set(title=title, xlabel="blocks passed", xticks=_ticks(len(x)), ylim=(min(0, *low), 1))
    axes[0].set_ylabel("mean cosine of two words")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def figures(
    parts: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
) -> dict[str, Callable[[], Figure]]:
    """Name -> function that draws the figure, for one model; `text-{name}` for every text, at the first MLP site."""
    made: dict[str, Callable[[], Figure]] = {
        "statistics": lambda: statistics(parts["tokens"]),
        "similarity": lambda: similarity(parts["similarity"]),
        "positions": lambda: positions(parts["similarity"], arrays),
        "words": lambda: words(parts["similarity"]),
        "layers": lambda: representation_layers.cka(parts["layers"], arrays),
        "matched": lambda: representation_layers.matched(parts["layers"], arrays),
    }
    for name, sites in parts["tokens"]["examples"].items():
        site = next((site for site in sites if "mlp" in site), next(iter(sites), None))
        made[f"text-{name}"] = (
            (lambda part=sites[site], where=site: text_activations.text(part, where))
            if site
            else (lambda: style.empty_figure("this model has no autoencoder"))
        )
    return made
