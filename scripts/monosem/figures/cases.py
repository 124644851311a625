"""Figures of the case studies: correlations of the best units, and text from other sources."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.monosem.figures import style

SUBJECTS = {
    "latent": ("best latent", style.OURS, "o"),
    "neuron": ("best neuron", style.BASELINE, "s"),
    "random_dictionary": ("best of a random dictionary", style.GREY, "v"),
    "permuted_model": ("best latent, permuted model", style.ORANGE, "^"),
    "lookup": ("the token alone", "black", "|"),
}
STEP = 0.15
"""Vertical distance of two subjects of one context."""
NOTHING = "no context is in enough documents of the evaluated text"


def correlations(document: Mapping[str, Any]) -> Figure:
    """Correlation with the label of every context's best units and of the token lookup, intervals over documents."""
    cases = document["cases"]
    if not cases:
        return style.empty_figure(NOTHING)
    figure = style.new_figure(height=1.1 + 0.42 * len(cases))
    axis = figure.subplots()
    for row, case in enumerate(cases.values()):
        for place, (kind, (name, colour, marker)) in enumerate(SUBJECTS.items()):
            if kind in case["subjects"]:
                number, y = case["subjects"][kind]["pearson"], row + STEP * (place - 2)
                axis.plot([number["low"], number["high"]], [y, y], color=colour, lw=1.2)
                axis.plot(number["value"], y, marker, color=colour, ms=5, mew=1.6, label=name if row == 0 else None)
        if row:
            axis.axhline(row - 0.5, color=style.GREY, lw=0.4)
    axis.set_yticks(range(len(cases)), [f"{name} ({case['n_documents']:,})" for name, case in cases.items()])
    axis.set(ylim=(len(cases) - 0.5, -0.5), xlabel="correlation with the label, test split")
    axis.set_ylabel("context (documents that hold it)")
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def unseen_text(document: Mapping[str, Any]) -> Figure:
    """Share of the tokens of texts from other sources on which the units of scripts and alphabets fire."""
    contexts = [name for name in document["cases"] if name in style.LABELS]
    texts = document["unseen"]
    if not contexts or not texts:
        return style.empty_figure("no text from other sources, or no script or alphabet in enough documents")
    kinds = {"latent": "best latent", "neuron": "best neuron", "lookup": "the token alone"}
    figure = style.new_figure(height=1.2 + 0.3 * (len(texts) + 1))
    axes = figure.subplots(1, len(kinds), sharey=True)
    for axis, (kind, title) in zip(axes, kinds.items(), strict=True):
        rows = [text["firing"] for text in texts.values()] + [document["other_text"]]
        shares = np.array([[row[context][kind]["value"] or 0.0 for context in contexts] for row in rows])
        axis.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (y, x), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axis.text(x, y, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        axis.set_xticks(range(len(contexts)), contexts)
        axis.set_yticks(range(len(rows)), [*texts, "corpus, other text"])
        axis.set_title(title)
        axis.grid(visible=False)
    axes[0].set_ylabel("text")
    figure.supxlabel("unit chosen for the context; % of the text's tokens above its threshold", fontsize="medium")
    return figure
