# %% [markdown]
# # Activations of chosen tokens
#
# A few texts are run through the language model. For each, two heat maps show what happens at the site that the
# autoencoder reads: tokens from top to bottom, and from left to right the neurons that fire most on this text, then
# the autoencoder's latents that do. A neuron lights up for many unrelated tokens; a latent, if it is monosemantic,
# for few that have something in common. Every unit is drawn relative to its own maximum on the text.

# %% tags=["parameters"]
model = "results/models/onelayer-a"
sae = "results/sae/onelayer-a/blocks.0.mlp.hook_post/topk-4096"
site = "blocks.0.mlp.hook_post"
texts = ["The function returns a new array.", "See https://docs.python.org/ for details."]
units = 24  # neurons and latents per heat map
tokens_shown = 48  # longer texts are cut here, or at the model's context

# %%
# ruff: noqa: E402
import warnings
from io import BytesIO

import numpy as np
import torch
from IPython.display import Image, Markdown, display

from scripts.monosem.figures import style
from scripts.monosem.models import load, sites
from scripts.monosem.sae import model as sae_model
from scripts.monosem.text import bpe
from scripts.monosem.text.visible import visible

warnings.filterwarnings("ignore", "IProgress not found")  # a progress bar that nobody asked for
language_model = load.load_model(model)
where = sites.resolve(language_model, site)
dictionary = sae_model.load_sae(sae)
tokenizer = bpe.load_tokenizer(f"{model}/tokenizer.json")
end_of_text = bpe.end_of_text_id(tokenizer, f"{model}/tokenizer.json")
room = min(tokens_shown, sites.longest_window(language_model) - 1)


# %%
def pieces(ids: list[int]) -> list[str]:
    """Text of each token, with spaces and line breaks that can be seen."""
    return [visible(tokenizer.decode([i], skip_special_tokens=False), space="·") for i in ids]


def strongest(values: np.ndarray) -> np.ndarray:
    """Columns with the largest maxima, ordered by the token that they fire on most."""
    chosen = np.argsort(values.max(axis=0))[::-1][:units]
    chosen = chosen[values[:, chosen].max(axis=0) > 0]
    return chosen[np.argsort(values[:, chosen].argmax(axis=0), kind="stable")]


def heat_map(axis, values: np.ndarray, columns: np.ndarray, names: list[str], title: str):
    shown = values[:, columns] / np.maximum(values[:, columns].max(axis=0), 1e-9)
    image = axis.imshow(shown, aspect="auto", cmap="Greens", vmin=0, vmax=1, interpolation="nearest")
    axis.set(title=title, xticks=range(len(columns)), yticks=range(len(names)))
    axis.set_xticklabels(columns, rotation=90, fontsize=7)
    axis.set_yticklabels(names, fontsize=7, family="monospace")
    axis.tick_params(length=0)
    axis.grid(False)
    return image


# %%
for text in texts:
    whole = tokenizer.encode(text, add_special_tokens=False).ids
    ids = [end_of_text, *whole[:room]]
    with torch.inference_mode():
        activations = sites.capture(language_model, where, torch.tensor([ids]))[0, 1:].float()
        latents = sae_model.encode(dictionary, activations)
    names = pieces(ids[1:])
    live = (latents > 0).sum(1).float().mean().item()
    firing = (activations > 0).sum(1).float().mean().item()
    figure = style.new_figure(height=1.4 + 0.16 * len(names), width=11)
    left, right = figure.subplots(1, 2, sharey=True)
    heat_map(left, activations.numpy(), strongest(activations.numpy()), names, "neurons")
    image = heat_map(right, latents.numpy(), strongest(latents.numpy()), names, "latents")
    figure.colorbar(image, ax=[left, right], label="activation / its maximum here", shrink=0.7)
    display(
        Markdown(
            f"Per token {firing:.0f} of {activations.shape[1]} neurons and {live:.0f} of {latents.shape[1]} latents "
            "are above zero."
            + (f" The text is cut to its first {room} of {len(whole)} tokens." if len(whole) > room else "")
        )
    )
    picture = BytesIO()
    figure.savefig(picture, dpi=style.PNG_DPI)
    display(Image(data=picture.getvalue()))
