"""Made activations on made text: documents of equal length, tokens drawn uniformly."""

import numpy as np
from scipy import sparse

from scripts.monosem.evaluation.dictionaries.codes import Tokens, Units

DOCUMENTS, LENGTH, VOCAB = 60, 50, 20


def made_tokens(seed: int = 0, token: np.ndarray | None = None) -> Tokens:
    """Tokens of documents that alternate between the halves."""
    n = DOCUMENTS * LENGTH
    token = np.random.default_rng(seed).integers(VOCAB, size=n) if token is None else token
    document = np.repeat(np.arange(DOCUMENTS), LENGTH)
    return Tokens(
        place=np.arange(n), token=token, following=np.append(token[1:], 0), label=np.zeros(n, np.int64),
        document=document, source_document=document, scored=document % 2 == 1,
    )  # fmt: skip


def units_on(name: str, *fires: np.ndarray, seed: int = 0) -> Units:
    """One unit per mask, with activations between 1 and 2 where it is true."""
    masks = np.stack(fires, axis=1)
    strength = np.random.default_rng(seed).uniform(1, 2, size=masks.shape)
    return Units(name, sparse.csr_matrix(np.where(masks, strength, 0.0)))
