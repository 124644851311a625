"""Text and activations that the page is made from: stored codes, neurons of a small model, stored activations."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Integer
from scipy import sparse
from torch import nn

from scripts.monosem.activations.places import places_of_rows
from scripts.monosem.activations.store import open_activations
from scripts.monosem.browser.units import Reading
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.models import sites
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.csr import csr_of
from scripts.monosem.sae.model import Sae, concatenate, encode_active, silenced
from scripts.monosem.text.tokens import TokenStream

SPLIT = "test"
"""From which examples of a model that runs in the page are taken."""
ROWS_AT_ONCE = 2048


def of_codes(path: Path, stream: TokenStream) -> Reading:
    """The latents of an autoencoder on held-out text, from codes.npz."""
    codes = stored_codes.load(path)
    stored = codes.splits[SPLIT]
    spots = stored.starts[:, None] + np.arange(codes.context)
    window = np.searchsorted(stored.starts, stored.places, side="right") - 1
    return Reading(
        tokens=stream.tokens[spots].astype(np.int64),
        labels=stream.labels[spots],
        places=window * codes.context + stored.places - stored.starts[window],
        activations=codes.matrix(SPLIT),
        vocab=stream.vocab_size,
    )


@torch.inference_mode()
def of_neurons(model: nn.Module, site: Site, sae: Sae, stream: TokenStream, text: Reading) -> Reading:
    """The neurons of a site on the windows of another reading, in the positive part of their activation.

    They are silent where the autoencoder does not read.
    """
    kept = np.zeros(text.tokens.size, bool)
    kept[text.places] = True
    parts = []
    for start in range(0, len(text.tokens), 64):
        block = torch.from_numpy(text.tokens[start : start + 64]).to(model.device)
        x = silenced(sae, sites.capture(model, site, block, stream.eos_token_id).float()).cpu().numpy()
        inside = kept[start * block.shape[1] :][: block.numel()]
        parts.append(sparse.csr_matrix(np.maximum(x.reshape(-1, site.d)[inside], 0)))
    return Reading(text.tokens, text.labels, text.places, sparse.vstack(parts, format="csr"), text.vocab)


@torch.inference_mode()
def of_stored_activations(folder: Path, sae: Sae, stream: TokenStream, n_tokens: int, seed: int) -> Reading:
    """The latents of an autoencoder on the first `n_tokens` stored activations, which are of the train split.

    Raises: ArtefactError if the rows are not those of the windows that the seed gives.
    """
    stored = open_activations(folder)
    starts, places = places_of_rows(stored, stream, n_tokens, seed)
    spots = starts[:, None] + np.arange(stored.manifest["context"])
    codes = concatenate(
        [
            encode_active(sae, stored.gather(np.arange(start, min(start + ROWS_AT_ONCE, len(places)))))
            for start in range(0, len(places), ROWS_AT_ONCE)
        ]
    )
    activations = csr_of(codes, (len(places), sae.d_sae))
    activations.eliminate_zeros()
    return Reading(stream.tokens[spots].astype(np.int64), stream.labels[spots], places, activations, stream.vocab_size)


def same_text(first: Reading, other: Reading) -> bool:
    """True if both are of the same tokens, row by row."""
    return np.array_equal(first.tokens, other.tokens) and np.array_equal(first.places, other.places)


def usual_tokens(train: TokenStream, least: int) -> Integer[np.ndarray, " usual"]:
    """Ids of tokens that occur often enough in the training text for their logit weights to mean something."""
    usual = np.bincount(train.tokens, minlength=train.vocab_size) >= least
    usual[train.eos_token_id] = False
    return np.flatnonzero(usual)
