"""Figures of what activations show: single texts, statistics per layer, similarity, positions, words, layers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.monosem.figures import palette, style
from scripts.monosem.figures.latents import empty
from scripts.monosem.models.sites import layer_of

Document = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


def depth(site: str) -> int:
    """Blocks that a place in the residual stream lies behind."""
    layer, _ = layer_of(site)
    return layer if site.endswith("resid_pre") else layer + 1


def short(site: str) -> str:
    """`blocks.2.hook_resid_post` -> `block 2`, `blocks.2.mlp.hook_post` -> `MLP 2`."""
    layer, inner = layer_of(site)
    if site == "blocks.0.hook_resid_pre":
        return "input"
    return f"{ {'mlp.hook_post': 'MLP', 'hook_resid_post': 'block'}.get(inner, inner) } {layer}"


def stream_of(document: Document) -> list[str]:
    """Places in the residual stream, in order."""
    return [name for name in document["sites"] if "resid" in name]


def _heat_map(axis: Axes, part: Document, title: str) -> Any:
    values = np.array(part["activations"])
    shown = values / np.maximum(values.max(0, initial=0), 1e-9)
    order = np.argsort(values.argmax(0), kind="stable")
    image = axis.imshow(shown[:, order], aspect="auto", cmap="Greens", vmin=0, vmax=1)
    axis.set_xticks(range(len(order)), np.array(part["index"])[order], rotation=90, fontsize=6)
    axis.set_title(title)
    axis.tick_params(length=0)
    axis.grid(False)
    return image


def text(part: Document, site: str) -> Figure:
    """One text: tokens x neurons, tokens x latents, and the strongest latents with the token they fire on most."""
    names = part["tokens"]
    figure = style.new_figure(height=max(3.2, 1.2 + 0.145 * len(names)))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.75))
    _heat_map(left, part["neurons"], "dimensions" if "resid" in site else "neurons")
    image = _heat_map(middle, part["latents"], "latents")
    left.set_yticks(range(len(names)), names, fontsize=6.5, family="monospace")
    middle.set_yticks([])
    best = part["top_latents"]
    right.barh(range(len(best)), [row["max_activation"] for row in best], color=palette.OURS, height=0.7)
    labels = [f"{row['latent']} {row['strongest_on']}" for row in best]
    right.set_yticks(range(len(best)), labels, fontsize=6.5, family="monospace")
    right.set_ylim(len(best) - 0.4, -0.6)
    right.set(xlabel="largest activation", title="strongest latents")
    right.grid(axis="y", visible=False)
    figure.colorbar(
        image, ax=[left, middle], location="bottom", shrink=0.5, aspect=40, label="activation / its maximum"
    )
    return figure


def statistics(document: Document) -> Figure:
    """Norm, sparsity, kurtosis and outliers by layer; the residual stream also in a random basis."""
    sites, stream = document["sites"], stream_of(document)
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
        x = [depth(name) for name in stream]
        axis.plot(x, [sites[name][key] for name in stream], "o-", color=palette.OURS, label="residual stream")
        if key in sites[stream[0]].get("rotated", {}):
            rotated = [sites[name]["rotated"][key] for name in stream]
            axis.plot(x, rotated, "o--", color=palette.GREY, mfc="white", label="in a random basis")
        at = [layer_of(name)[0] + 0.5 for name in neurons]
        axis.plot(at, [sites[name][key] for name in neurons], "s:", color=palette.BASELINE, label="MLP neurons")
        axis.set(title=title, xlabel="blocks passed", xticks=_ticks(len(stream)))
        if key == "norm":
            axis.set_yscale("log")
            palette.log_axis(axis.yaxis)
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


def similarity(document: Document) -> Figure:
    """Mean cosines of pairs of tokens by layer, less anisotropy, with 95 % intervals; anisotropy beside them."""
    sites, stream = document["sites"], stream_of(document)
    x = np.array([depth(name) for name in stream])
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
    left.plot([], [], "o--", lw=0.8, color=palette.GREY, mfc="white", label="dealt anew (control)")
    left.set(title="mean cosine less anisotropy", xlabel="blocks passed", xticks=_ticks(len(x)))
    right.plot(x, [sites[name]["anisotropy"] for name in stream], "o-", color=palette.GREY)
    right.set(title="anisotropy: two unrelated tokens", xlabel="blocks passed", xticks=_ticks(len(x)))
    right.set_ylim(min(0, right.get_ylim()[0]), 1)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def positions(document: Document, arrays: Arrays) -> Figure:
    """Norm, similarity and predicted position along the window, per layer; R² of the position by layer."""
    stream = stream_of(document)
    colours = palette.sequence(len(stream))
    figure = style.new_figure(height=4.6)
    norm, alike, read, r2 = figure.subplots(2, 2).flat
    for name, colour in zip(stream, colours, strict=True):
        for axis, key in ((norm, "norm_by_position"), (alike, "similarity_by_position"), (read, "predicted_position")):
            values = arrays[f"similarity/{name}.{key}"]
            scale = np.median(values[2:]) if key == "norm_by_position" else 1.0
            axis.plot(np.arange(len(values)), values / scale, color=colour, lw=1.1, label=f"{depth(name)}")
    n = len(arrays[f"similarity/{stream[0]}.predicted_position"])
    read.plot([0, n - 1], [0, n - 1], color=palette.GREY, ls=(0, (4, 3)), lw=0.9)
    norm.set(title="norm / median norm", ylim=(0, None))
    alike.set(title="mean cosine at equal position", ylim=(min(0, alike.get_ylim()[0]), None))
    read.set(title="position read off (held-out windows)")
    for axis in (norm, alike, read):
        axis.set_xlabel("position in the window")
    rows = [document["sites"][name] for name in stream]
    x = [depth(name) for name in stream]
    r2.plot(x, [row["position_r2"] for row in rows], "o-", color=palette.OURS, label="position")
    r2.plot(
        x,
        [row["position_r2_permuted"] for row in rows],
        "o--",
        color=palette.GREY,
        mfc="white",
        label="dealt (control)",
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


def words(document: Document) -> Figure:
    """Mean cosine within groups of similar words, beside deals of equal frequency, by layer."""
    if "words" not in document:
        return empty("this tokenizer keeps the words of too few groups whole")
    sites = document["words"]["sites"]
    x = [depth(name) for name in sites]
    figure = style.new_figure(height=2.7)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (kind, title) in zip(axes, {"in_context": "in context", "alone": "word alone"}.items(), strict=True):
        rows = [row[kind] for row in sites.values()]
        axis.plot(x, [row["similar"] for row in rows], "o-", color=palette.OURS, label="words of one group")
        axis.plot(x, [row["control"] for row in rows], "o--", color=palette.GREY, mfc="white", label="dealt, mean")
        low, high = ([row[f"control_{end}"] for row in rows] for end in ("low", "high"))
        axis.fill_between(x, low, high, color=palette.GREY, alpha=0.25, lw=0, label="dealt, 95 % of deals")
        axis.set(title=title, xlabel="blocks passed", xticks=_ticks(len(x)), ylim=(min(0, *low), 1))
    axes[0].set_ylabel("mean cosine of two words")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def cka(document: Document, arrays: Arrays) -> Figure:
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
        labels = [short(name) for name in names]
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


def matched(document: Document, arrays: Arrays) -> Figure:
    """How well latents of one site fit their best partner at another, beside permuted tokens."""
    pairs = list(document["matched"])
    if not pairs:
        return empty("this model has autoencoders at fewer than two sites")
    figure = style.new_figure(height=2.7)
    axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for axis, pair in zip(axes, pairs, strict=True):
        true, permuted = arrays[f"layers/{pair}.matched"]
        share = np.arange(1, len(true) + 1) / len(true)
        axis.plot(true, share, color=palette.OURS, label="best partner, held out")
        axis.plot(permuted, share, color=palette.GREY, ls="--", label="tokens permuted (control)")
        left, right = (short(name) for name in pair.split(">"))
        axis.set(title=f"latents of {left} at {right}", xlabel="correlation", xlim=(-0.1, 1.02), ylim=(0, 1))
    axes[0].set_ylabel("share of latents below")
    palette.percent_axis(axes[0].yaxis)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def figures(parts: Mapping[str, Document], arrays: Arrays) -> dict[str, Callable[[], Figure]]:
    """Name -> what draws it, for one model; `text-{name}` of every text at the model's first MLP autoencoder."""
    made: dict[str, Callable[[], Figure]] = {
        "statistics": lambda: statistics(parts["tokens"]),
        "similarity": lambda: similarity(parts["similarity"]),
        "positions": lambda: positions(parts["similarity"], arrays),
        "words": lambda: words(parts["similarity"]),
        "layers": lambda: cka(parts["layers"], arrays),
        "matched": lambda: matched(parts["layers"], arrays),
    }
    for name, sites in parts["tokens"]["examples"].items():
        site = next((site for site in sites if "mlp" in site), next(iter(sites), None))
        made[f"text-{name}"] = (
            (lambda part=sites[site], where=site: text(part, where))
            if site
            else (lambda: empty("this model has no autoencoder"))
        )
    return made
