"""How well a language model predicts held-out text, in nats per token and bits per character, beside n-gram models.

Every token of the split is predicted once, from at most n_positions tokens before it: windows overlap by one token, so
that the first target of a window is its second token and no token is free.
"""

import math

import numpy as np
from jaxtyping import Float, Int

from scripts.monosem.models import ngrams
from scripts.monosem.models.gpt2 import functional
from scripts.monosem.models.train import batch_at
from scripts.monosem.text.tokens import TokenStream


def predict_all(
    parameters: functional.Parameters,
    architecture: functional.Architecture,
    tokens: Int[np.ndarray, "n"],
    zero_mlp: bool = False,
    batch_size: int = 16,
) -> Float[np.ndarray, "n-1"]:
    """Nats of tokens 1..n-1, each predicted from the tokens of its window before it (1 to n_positions of them)."""
    context = architecture.n_positions
    whole = (len(tokens) - 1) // context
    nats = np.empty(len(tokens) - 1)
    for first in range(0, whole, batch_size):
        starts = np.arange(first, min(first + batch_size, whole)) * context
        inputs, targets = batch_at(tokens, starts, context)
        scored = functional.token_nats(parameters, architecture, inputs, targets, zero_mlp).flatten()
        nats[first * context : first * context + len(scored)] = scored
    if rest := (len(tokens) - 1) % context:
        inputs, targets = batch_at(tokens, np.array([whole * context]), rest)
        nats[-rest:] = functional.token_nats(parameters, architecture, inputs, targets, zero_mlp).flatten()
    return nats


def documents_within(stream: TokenStream, n_tokens: int) -> int:
    """How many whole documents from the start of a split fit into `n_tokens` (at least one)."""
    return max(1, int(np.searchsorted(stream.documents, n_tokens, side="right")) - 1)


def natural_tokens(stream: TokenStream, n_documents: int) -> np.ndarray:
    """Which tokens of the first documents belong to natural (not planted) text: bool, one per token."""
    lengths = np.diff(stream.documents[: n_documents + 1])
    return np.repeat(np.asarray(stream.natural[:n_documents]), lengths)


def summarise(nats: Float[np.ndarray, "n"], chosen: np.ndarray, n_characters: int) -> dict[str, float]:
    """Mean nats per token and bits per character over the chosen tokens."""
    total = float(nats[chosen].sum())
    return {"nats_per_token": total / int(chosen.sum()), "bits_per_character": total / math.log(2) / n_characters}


def score(
    parameters: functional.Parameters,
    architecture: functional.Architecture,
    train: TokenStream,
    test: TokenStream,
    n_tokens: int,
) -> dict:
    """Scores of the model, of the model without its MLPs, and of uni-, bi- and trigram models of the train split.

    All are means over the same natural tokens of the first documents of the test split; `planted` holds the model's
    nats per token on planted documents. Document ends are predicted too; the very first two tokens of the split,
    which a trigram model cannot predict, are left out for all.
    """
    n_documents = documents_within(test, n_tokens)
    tokens = np.asarray(test.tokens[: test.documents[n_documents]])
    natural = natural_tokens(test, n_documents)[2:]
    n_characters = int(test.characters[:n_documents][test.natural[:n_documents]].sum())
    model = predict_all(parameters, architecture, tokens)[1:]
    result = {
        "n_tokens": int(natural.sum()),
        "n_documents": int(test.natural[:n_documents].sum()),
        "n_characters": n_characters,
        "model": summarise(model, natural, n_characters),
        "mlp_zeroed": summarise(predict_all(parameters, architecture, tokens, True)[1:], natural, n_characters),
        "planted_nats_per_token": float(model[~natural].mean()) if (~natural).any() else None,
    }
    for order, name in ((1, "unigram"), (2, "bigram"), (3, "trigram")):
        counted = ngrams.count(np.asarray(train.tokens), order, architecture.vocab_size)
        nats = ngrams.token_nats(counted, tokens)[3 - order :]
        result[name] = summarise(nats, natural, n_characters)
    return result
