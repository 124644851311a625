"""Loss of a language model on held-out text, in nats per token and bits per character, beside n-gram models.

Every token of the split is predicted once, from at most n_positions tokens before it: windows overlap by one token, so
that the first target of a window is its second token and no token is free.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from scripts.monosem.models import ngrams
from scripts.monosem.models.gpt2.modules import Gpt2Network, without_mlps
from scripts.monosem.models.train import batch_at
from scripts.monosem.text import overlap
from scripts.monosem.text.tokens import TokenStream

TEST_TOKENS = 300_000
"""Of the test split: read to score a model that was trained, here or before."""


@torch.inference_mode()
def token_nats(
    network: Gpt2Network, tokens: Int[Tensor, "batch context"], targets: Int[Tensor, "batch context"]
) -> Float[Tensor, "batch context"]:
    """Cross-entropy in nats of every target token, on the CPU."""
    logits = network(tokens.to(network.device)).logits
    nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten().to(network.device), reduction="none")
    return nats.view(targets.shape).cpu()


def predict_all(
    network: Gpt2Network, tokens: Integer[np.ndarray, " sample"], batch_size: int = 16
) -> Float[np.ndarray, " sample-1"]:
    """Nats of every token but the first, each predicted from those before it in its window (1 to n_positions)."""
    context = network.config.n_positions
    whole = (len(tokens) - 1) // context
    nats = np.empty(len(tokens) - 1)
    for first in range(0, whole, batch_size):
        starts = np.arange(first, min(first + batch_size, whole)) * context
        inputs, targets = batch_at(tokens, starts, context)
        scored = token_nats(network, inputs, targets).flatten()
        nats[first * context : first * context + len(scored)] = scored
    if rest := (len(tokens) - 1) % context:
        inputs, targets = batch_at(tokens, np.array([whole * context]), rest)
        nats[-rest:] = token_nats(network, inputs, targets).flatten()
    return nats


def documents_within(stream: TokenStream, n_tokens: int) -> int:
    """Number of whole documents from the start of a split that fit into `n_tokens` (at least one)."""
    return max(1, int(np.searchsorted(stream.documents, n_tokens, side="right")) - 1)


def natural_tokens(stream: TokenStream, n_documents: int) -> Bool[np.ndarray, " sample"]:
    """True for each token of the first documents that belongs to natural (not planted) text."""
    lengths = np.diff(stream.documents[: n_documents + 1])
    return np.repeat(np.asarray(stream.natural[:n_documents]), lengths)


def summarise(
    nats: Float[np.ndarray, " sample"], chosen: Bool[np.ndarray, " sample"], n_characters: int
) -> dict[str, float]:
    """Mean nats per token and bits per character over the chosen tokens."""
    total = float(nats[chosen].sum())
    return {"nats_per_token": total / int(chosen.sum()), "bits_per_character": total / math.log(2) / n_characters}


def seen_and_unseen(
    nats: Float[np.ndarray, " sample"], natural: Bool[np.ndarray, " sample"], verbatim: Bool[np.ndarray, " sample"]
) -> dict[str, float | None]:
    """Mean nats per token of natural tokens in runs that stand in train (`verbatim`), and of the others (`clean`)."""
    parts = {"verbatim": natural & verbatim, "clean": natural & ~verbatim}
    return {name: float(nats[chosen].mean()) if chosen.any() else None for name, chosen in parts.items()}


def score(network: Gpt2Network, train: TokenStream, test: TokenStream, n_tokens: int) -> dict[str, Any]:
    """Scores of the model, of the model without its MLPs, and of uni-, bi- and trigram models of the train split.

    All are means over the same natural tokens of the first documents of the test split; `planted` holds the model's
    nats per token on planted documents, and `overlap` tells natural tokens in runs that stand in train from the others,
    for the model and the trigram model. Document ends are predicted too; the very first two tokens of the split, which
    a trigram model cannot predict, are left out for all.
    """
    n_documents = documents_within(test, n_tokens)
    tokens = np.asarray(test.tokens[: test.documents[n_documents]])
    natural = natural_tokens(test, n_documents)[2:]
    n_characters = int(test.characters[:n_documents][test.natural[:n_documents]].sum())
    model = predict_all(network, tokens)[1:]
    result = {
        "n_tokens": int(natural.sum()),
        "n_documents": int(test.natural[:n_documents].sum()),
        "n_characters": n_characters,
        "model": summarise(model, natural, n_characters),
        "mlp_zeroed": summarise(predict_all(without_mlps(network), tokens)[1:], natural, n_characters),
        "planted_nats_per_token": float(model[~natural].mean()) if (~natural).any() else None,
    }
    starts = test.documents[:n_documents]
    verbatim = overlap.verbatim(np.asarray(train.tokens), train.documents[:-1], tokens, starts)[2:]
    result["overlap"] = {
        "verbatim_share": float(verbatim[natural].mean()),
        "model": seen_and_unseen(model, natural, verbatim),
    }
    for order, name in ((1, "unigram"), (2, "bigram"), (3, "trigram")):
        counted = ngrams.count(np.asarray(train.tokens), order, network.config.vocab_size)
        nats = ngrams.token_nats(counted, tokens)[3 - order :]
        result[name] = summarise(nats, natural, n_characters)
    result["overlap"]["trigram"] = seen_and_unseen(nats, natural, verbatim)
    return result
