# %% [markdown]
# # Latents and neurons, one card each
#
# First the latents of the planted contexts, then units drawn at random among those that fire: nothing here was picked
# by hand. A card shows held-out text in which the unit fires most. The darker a token, the stronger the unit fires on
# it; the frame marks the peak. Top tokens are those with the largest mean activation, and logit weights say which
# next tokens the unit raises or lowers directly.

# %% tags=["parameters"]
interpretation = "results/evaluation/onelayer-a/blocks.0.mlp.hook_post/topk-4096/interpretation.json"
contexts = "results/evaluation/onelayer-a/blocks.0.mlp.hook_post/topk-4096/contexts.json"

# %%
# ruff: noqa: E402
from IPython.display import HTML, Markdown, display

from scripts.monosem.core import artefacts
from scripts.monosem.reporting.unit_cards import cards_html

units, scored = artefacts.read_json(interpretation), artefacts.read_json(contexts)["contexts"]

# %%
display(Markdown("## Planted contexts"))


def row(context: str, kind: str) -> str:
    unit = scored[context][kind]
    numbers = (unit["test"][key] for key in ("precision", "recall", "pearson"))
    shown = " | ".join("–" if number is None else f"{number:.2f}" for number in numbers)
    return f"| {context} | {kind} {unit['index']} | {shown} |"


rows = "\n".join(row(context, kind) for context in scored for kind in ("latent", "neuron"))
display(Markdown(f"| context | unit | precision | recall | correlation |\n|---|---|---:|---:|---:|\n{rows}"))

# %%
for kind in ("latents", "neurons"):
    display(Markdown(f"## {kind.capitalize()} drawn at random"))
    display(HTML(cards_html(units[kind], kind.removesuffix("s"), "paper/unit_cards.html.j2")))
