"""The baseline that knows the current token and nothing else: E[x | token], counted on training activations."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.activations.places import places_of_rows
from scripts.monosem.activations.store import Activations
from scripts.monosem.evaluation.fidelity.baselines import Reconstructor
from scripts.monosem.text.tokens import TokenStream

ROWS = 2048
"""Read at a time."""


def tokens_of_rows(activations: Activations, stream: TokenStream, seed: int) -> Int[np.ndarray, " n"]:
    """Token of every stored row, from the windows that the extraction read.

    Raises: ArtefactError if the rows are not of these windows.
    """
    starts, places = places_of_rows(activations, stream, activations.n_tokens, seed)
    window, position = np.divmod(places, activations.manifest["context"])
    return stream.tokens[starts[window] + position].astype(np.int64)


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
