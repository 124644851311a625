"""Text and activations that the page is made from: stored codes, neurons of a small model, stored activations."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Integer
from scipy import sparse
from torch import nn

from scripts.monosem.activations.store import open_activations
from scripts.monosem.browser.units import Reading
from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.models import sites
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae, concatenate, encode_active, silenced
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

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


def aligned(
    positions: Integer[np.ndarray, " rows"], kept: Bool[np.ndarray, "windows context"], n_excluded: int
) -> Integer[np.ndarray, " rows"] | None:
    """Place of each stored row among the flattened windows; None if the rows are not of these windows.

    Rows are in the order of windows and positions. Positions that are kept and have no row must be tokens of excluded
    norm: at most `n_excluded`.
    """
    context = kept.shape[1]
    bounds = np.flatnonzero(np.diff(positions.astype(np.int64)) <= 0) + 1
    places, missing, window = [], 0, 0
    for part in np.split(positions.astype(np.int64), bounds):
        while window < len(kept) and not kept[window, part].all():
            missing += int(kept[window].sum())
            window += 1
        if window == len(kept):
            return None
        missing += int(kept[window].sum()) - len(part)
        places.append(window * context + part)
        window += 1
    rest = int(kept[window - 1, part[-1] + 1 :].sum())  # of a last window that is not read to its end
    return np.concatenate(places) if missing - rest <= n_excluded else None


@torch.inference_mode()
def of_stored_activations(folder: Path, sae: Sae, stream: TokenStream, n_tokens: int, seed: int) -> Reading:
    """The latents of an autoencoder on the first `n_tokens` stored activations, which are of the train split.

    Raises: ArtefactError if the rows are not those of the windows that the seed gives.
    """
    stored = open_activations(folder)
    context, wanted = stored.manifest["context"], min(n_tokens, stored.n_tokens)
    n_excluded = stored.manifest.get("n_excluded", 0)
    starts = windows(stream, context, None, derive_seed(seed, "windows"))
    starts = starts[: 2 * -(-(wanted + n_excluded) // context) + 8]
    spots = starts[:, None] + np.arange(context)
    tokens = stream.tokens[spots].astype(np.int64)
    kept = kept_positions(tokens, stream.eos_token_id, stored.manifest["drop_first_position"])
    positions = artefacts.load_npy(folder / stored.manifest["positions"])[:wanted]
    places = aligned(positions, kept, n_excluded)
    if places is None:
        raise artefacts.ArtefactError(
            f"{folder}: its rows are not those of the windows that seed {seed} gives; "
            f"{artefacts.remedy(folder / 'manifest.json')}"
        )
    last = places[-1] // context + 1
    codes = concatenate(
        [
            encode_active(sae, stored.gather(np.arange(start, min(start + ROWS_AT_ONCE, len(places)))))
            for start in range(0, len(places), ROWS_AT_ONCE)
        ]
    )
    entries = (codes.values.numpy(), codes.latents.numpy().astype(np.int32), codes.offsets.numpy())
    activations = sparse.csr_matrix(entries, shape=(len(places), sae.d_sae))
    activations.eliminate_zeros()
    return Reading(tokens[:last], stream.labels[spots[:last]], places, activations, stream.vocab_size)


def same_text(first: Reading, other: Reading) -> bool:
    """True if both are of the same tokens, row by row."""
    return np.array_equal(first.tokens, other.tokens) and np.array_equal(first.places, other.places)


def usual_tokens(train: TokenStream, least: int) -> Integer[np.ndarray, " usual"]:
    """Ids of tokens that occur often enough in the training text for their logit weights to mean something."""
    usual = np.bincount(train.tokens, minlength=train.vocab_size) >= least
    usual[train.eos_token_id] = False
    return np.flatnonzero(usual)
