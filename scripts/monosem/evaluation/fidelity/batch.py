"""Windows of text run once through the clean model, and what a reconstruction of their activations costs it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor, nn

from scripts.monosem.activations import norms
from scripts.monosem.models import splice
from scripts.monosem.models.sites import Site
from scripts.monosem.text.tokens import TokenStream, kept_positions


@dataclass(frozen=True)
class Settings:
    """Text and resampling of one evaluation."""

    tokens: int
    """Positions of held-out text, before special ones are dropped."""
    bootstrap: int
    """Resamplings over documents."""
    context: int
    """Window length, as in the extraction."""
    drop_first_position: bool
    """As in the extraction."""
    seed: int
    """Windows, random dictionary, resampling."""
    batch_size: int = 16
    """Windows per forward pass."""
    norm_limit: float = math.inf
    """Tokens of a larger norm pass through untouched; their next token is scored all the same."""


@dataclass(frozen=True)
class Batch:
    """One batch of windows, run once through the clean model."""

    clean: splice.Clean
    """Residual stream around the site."""
    norms: Float[Tensor, "batch context"]
    """Of the activations at every position."""
    kept: Bool[Tensor, "batch context"]
    """Positions that are neither special nor dropped."""
    replaced: Bool[Tensor, "batch context"]
    """Those of them within the norm limit."""
    scored: Bool[Tensor, "batch context-1"]
    """Kept positions whose next token is in the window."""
    x: Float[Tensor, "n d"]
    """Activations at replaced positions."""
    reference: splice.Reference
    """The clean model's predictions at scored positions."""
    replaced_documents: Integer[np.ndarray, " n"]
    """Document of each replaced position."""
    scored_documents: Integer[np.ndarray, " n_scored"]
    """Document of each scored position."""
    replaced_tokens: Int[Tensor, " n"]
    """Token of each replaced position."""


def make_batch(
    model: nn.Module, site: Site, stream: TokenStream, starts: Integer[np.ndarray, " batch"], settings: Settings
) -> Batch:
    """Run the clean model on windows that start at `starts`."""
    device = model.device
    places = starts[:, None] + np.arange(settings.context)
    tokens = torch.from_numpy(stream.tokens[places].astype(np.int64)).to(device)
    kept = kept_positions(tokens, stream.eos_token_id, settings.drop_first_position)
    scored = kept[:, :-1]
    document = np.searchsorted(stream.documents, places, side="right") - 1
    clean = splice.run_clean(model, site, tokens, stream.eos_token_id)
    unembedding = splice.unembedding_of(model)
    predictions = splice.reference(clean.final[:, :-1][scored], unembedding, tokens[:, 1:][scored])
    lengths = norms.norms(clean.activations)
    replaced = kept & (lengths <= settings.norm_limit)
    return Batch(
        clean=clean,
        norms=lengths,
        kept=kept,
        replaced=replaced,
        scored=scored,
        x=clean.activations[replaced].float(),
        reference=predictions,
        replaced_documents=document[replaced.cpu().numpy()],
        scored_documents=document[:, :-1][scored.cpu().numpy()],
        replaced_tokens=tokens[replaced],
    )


def losses(
    model: nn.Module, site: Site, batch: Batch, x_hat: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " n_scored"], Float[Tensor, " n_scored"]]:
    """Cross-entropy and KL per scored position when the replaced positions hold `x_hat`."""
    activations = splice.replace_kept(batch.clean.activations, batch.replaced, x_hat)
    hidden = splice.run_suffix(model, site, batch.clean, activations)[:, :-1][batch.scored]
    return splice.score(batch.reference, hidden, splice.unembedding_of(model))
