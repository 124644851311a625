"""Activations at several sites of a model over windows of held-out text, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import nn

from scripts.monosem.models.sites import capture_all, resolve
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

BATCH_TOKENS = 2048
"""Of one forward pass."""
LEAST_FIRINGS = 5
"""On the text at hand, of a unit that is compared with others or drawn as a random control."""


def stream_sites(n_layer: int) -> list[str]:
    """The residual stream from the embeddings to the end: n_layer + 1 places."""
    return ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(n_layer))]


def mlp_sites(n_layer: int) -> list[str]:
    """The neurons of every block."""
    return [f"blocks.{layer}.mlp.hook_post" for layer in range(n_layer)]


@dataclass(frozen=True)
class SiteActivations:
    """Windows of text and the activations of a model on them, by site."""

    tokens: Integer[np.ndarray, "windows context"]
    """Token ids."""
    kept: Bool[np.ndarray, "windows context"]
    """Neither <|endoftext|> nor the first position of a window."""
    by_site: dict[str, Float[np.ndarray, "windows context d"]]
    """Activations, float32."""

    def rows(self, site: str) -> Float[np.ndarray, "n d"]:
        """Activations at the kept positions."""
        return self.by_site[site][self.kept]

    def window_of_row(self) -> Integer[np.ndarray, " n"]:
        """Window of each kept position."""
        return np.nonzero(self.kept)[0]

    def token_of_row(self) -> Integer[np.ndarray, " n"]:
        """Token id of each kept position."""
        return self.tokens[self.kept]


def chosen_windows(
    stream: TokenStream, context: int, n_tokens: int, seed: int
) -> Integer[np.ndarray, "windows context"]:
    """Token ids of random windows of a split, in the order of the text."""
    starts = np.sort(windows(stream, context, n_tokens, seed))
    return stream.tokens[starts[:, None] + np.arange(context)].astype(np.int64)


def read_sites(
    model: nn.Module, names: Sequence[str], tokens: Integer[np.ndarray, "windows context"], eos_token_id: int
) -> SiteActivations:
    """Run a model over windows and keep what it computes at the named sites."""
    places = [resolve(model, name) for name in names]
    at_once = max(1, BATCH_TOKENS // tokens.shape[1])
    parts: list[list[np.ndarray]] = [[] for _ in names]
    for begin in range(0, len(tokens), at_once):
        batch = torch.from_numpy(tokens[begin : begin + at_once]).to(model.device)
        for part, values in zip(parts, capture_all(model, places, batch, eos_token_id), strict=True):
            part.append(values.float().cpu().numpy())
    kept = kept_positions(tokens, eos_token_id, drop_first_position=True)
    return SiteActivations(tokens, kept, {name: np.concatenate(part) for name, part in zip(names, parts, strict=True)})
