"""Activations of every token of a chosen text: the neurons and latents that fire most, with their strengths."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.models.sites import Site, capture_all
from scripts.monosem.sae.model import Sae, encode, silenced
from scripts.monosem.text import bpe
from scripts.monosem.text.visible import visible

TOP_LATENTS = 20
SHOWN = 20  # units per heat map


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    """Tokens as a reader can tell them apart: leading spaces and line breaks shown."""
    shown = (tokenizer.decode([i], skip_special_tokens=False) for i in ids)
    return [visible(text, space="·") for text in shown]


def strongest(values: Float[np.ndarray, "tokens units"], n: int) -> Integer[np.ndarray, " chosen"]:
    """At most n units with the largest maxima above 0, strongest first."""
    peak = values.max(0)
    order = np.argsort(-peak, kind="stable")[:n]
    return order[peak[order] > 0]


@torch.inference_mode()
def read_text(
    model: nn.Module, site: Site, sae: Sae, tokenizer: Tokenizer, text: str, eos_token_id: int, context: int
) -> dict[str, Any]:
    """One text behind <|endoftext|>, cut to the context: tokens, top latents, and both heat maps."""
    ids = [eos_token_id, *bpe.cut(tokenizer.encode(text, add_special_tokens=False).ids, context - 1, f"{text[:30]!r}")]
    (caught,) = capture_all(model, [site], torch.tensor([ids], device=model.device))
    x = caught[0, 1:].float()
    neurons, latents = silenced(sae, x).cpu().numpy(), encode(sae, x).cpu().numpy()
    names = pieces(tokenizer, ids[1:])
    best, best_neurons = strongest(latents, max(TOP_LATENTS, SHOWN)), strongest(neurons, SHOWN)
    return {
        "tokens": names,
        "positive_neurons": float((neurons > 0).sum(1).mean()),
        "positive_latents": float((latents > 0).sum(1).mean()),
        "top_latents": [
            {
                "latent": int(unit),
                "max_activation": float(latents[:, unit].max()),
                "mean_activation": float(latents[:, unit].mean()),
                "tokens_active": int((latents[:, unit] > 0).sum()),
                "strongest_on": names[int(latents[:, unit].argmax())],
            }
            for unit in best[:TOP_LATENTS]
        ],
        "latents": {"index": best[:SHOWN].tolist(), "activations": latents[:, best[:SHOWN]].tolist()},
        "neurons": {"index": best_neurons.tolist(), "activations": neurons[:, best_neurons].tolist()},
    }
