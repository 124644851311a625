"""The baseline that knows the current token and nothing else: E[x | token], counted on training activations."""

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from scripts.monosem.activations.store import Activations
from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.fidelity.baselines import Reconstructor
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

ROWS = 2048
"""Read at a time."""


def aligned(
    stored: Integer[np.ndarray, " n"], candidates: Integer[np.ndarray, " m"]
) -> Integer[np.ndarray, " n"] | None:
    """Places of the stored positions among the candidates, of which some may have been left out; None if they differ.

    Both are positions in windows, in order; the first candidate that fits is taken, and within a window only one does.
    """
    if len(stored) <= len(candidates) and np.array_equal(stored, candidates[: len(stored)]):
        return np.arange(len(stored))
    places, at = np.empty(len(stored), np.int64), 0
    for row, position in enumerate(stored.tolist()):
        while at < len(candidates) and candidates[at] != position:
            at += 1
        if at == len(candidates):
            return None
        places[row] = at
        at += 1
    return places


def tokens_of_rows(activations: Activations, stream: TokenStream, seed: int) -> Int[np.ndarray, " n"]:
    """Token of every stored row, from the windows that the extraction read.

    Raises: ArtefactError if the rows are not of these windows.
    """
    manifest = activations.manifest
    context = manifest["context"]
    positions = artefacts.load_npy(activations.folder / "positions.npy")
    starts = windows(stream, context, None, derive_seed(seed, "windows"))
    wanted = len(positions) + manifest.get("n_excluded", 0)
    tokens, places, n = [], [], 0
    for first in range(0, len(starts), 1024):
        rows = stream.tokens[starts[first : first + 1024, None] + np.arange(context)].astype(np.int64)
        keep = kept_positions(rows, stream.eos_token_id, manifest["drop_first_position"])
        tokens.append(rows[keep])
        places.append(np.nonzero(keep)[1])
        n += len(tokens[-1])
        if n >= wanted:
            break
    chosen = aligned(positions, np.concatenate(places)[:wanted]) if tokens else None
    if chosen is None:
        raise artefacts.ArtefactError(
            f"{activations.folder}: the rows are not those of the first windows of the train split; "
            f"{artefacts.remedy(activations.folder / 'manifest.json')}"
        )
    return np.concatenate(tokens)[chosen]


def token_table(
    activations: Activations, stream: TokenStream, centre: Float[Tensor, " d"], size: int, seed: int
) -> Reconstructor:
    """Every activation replaced by the training mean of its token, or by the mean for all but `size` frequent tokens.

    As many vectors as a dictionary of that size has, chosen by the token alone: what it adds less than a dictionary
    is no business of the context.
    """
    tokens = tokens_of_rows(activations, stream, seed)
    counts = np.bincount(tokens, minlength=stream.vocab_size)
    frequent = np.argsort(-counts, kind="stable")[: min(size, int((counts > 0).sum()))]
    row_of = torch.full((stream.vocab_size,), len(frequent))
    row_of[torch.from_numpy(frequent)] = torch.arange(len(frequent))
    sums = torch.zeros(len(frequent) + 1, activations.d_in, dtype=torch.float64)
    for first in range(0, len(tokens), ROWS):
        chosen = np.arange(first, min(first + ROWS, len(tokens)))
        sums.index_add_(0, row_of[torch.from_numpy(tokens[chosen])], activations.gather(chosen).double())
    table = (sums[:-1] / torch.from_numpy(counts[frequent])[:, None]).float().to(centre.device)
    table, row_of = torch.cat([table, centre[None]]), row_of.to(centre.device)

    def by_token(tokens: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        return table[row_of[tokens]]

    what = f"the training mean of the current token ({len(frequent)} tokens, one vector each); the context is not used"
    return Reconstructor(what, lambda x: (centre.expand_as(x), None), by_token=by_token)
