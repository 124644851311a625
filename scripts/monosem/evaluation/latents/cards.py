"""One card per unit: its numbers, the tokens it likes, examples with context, and its logit weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

from scripts.monosem.evaluation.latents import examples
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.evaluation.latents.unit_activations import Subject, Text, read_blocks
from scripts.monosem.metrics import information

LISTED = 10  # top tokens, and logit weights at either end


def cards(
    subject: Subject,
    text: Text,
    tally: examples.UnitTally,
    n_units: int,
    n_examples: int,
    kind: str,
    decode: Callable[[int], str],
    occurrences: Int[np.ndarray, " vocab"],
    usual: Bool[np.ndarray, " vocab"],
    n_tokens: int,
) -> list[dict[str, Any]]:
    """Cards of the first `n_units` units of a tally.

    Args:
        kind: "latents" or "neurons".
        decode: token id to text.
        occurrences: of each token in the text read.
        usual: tokens frequent enough in training for their logit weights to mean something.
        n_tokens: kept positions that the tally has seen.
    """
    chosen = tally.index[:n_units]
    entropy = information.distribution_entropy(tally.token_sums[:, : len(chosen)].T)
    single = examples.single_token(tally, text.stream.tokens)
    weights = None
    if reason_unavailable(subject.site) is None and len(chosen):
        on_device = torch.from_numpy(chosen).to(subject.sae.W_dec.device)
        basis = torch.eye(subject.site.d, device=on_device.device) if kind == "neurons" else subject.sae.W_dec
        weights = logit_weights(subject.model, subject.site, basis[on_device], usual).cpu().numpy()
        weights[:, ~usual] = np.nan

    starts = np.unique(tally.start[: len(chosen), :n_examples][tally.peak[: len(chosen), :n_examples] > 0])
    activations = {}
    for block in read_blocks(subject, text.stream, starts):
        columns = block.latent_columns(chosen, subject.sae.d_sae) if kind == "latents" else block.neuron_columns(chosen)
        grid = np.zeros((*block.kept.shape, len(chosen)), np.float32)
        grid[block.kept] = columns
        activations |= dict(zip(block.starts.tolist(), grid, strict=True))

    def example(unit: int, rank: int) -> dict[str, Any]:
        start, place = int(tally.start[unit, rank]), int(tally.place[unit, rank])
        tokens = text.stream.tokens[start : start + subject.context]
        shown = examples.excerpt(tokens, place - start, text.stream.eos_token_id)
        return {
            "activation": float(tally.peak[unit, rank]),
            "document": int(np.searchsorted(text.stream.documents, place, side="right") - 1),
            "source_position": place,
            "tokens": [decode(token) for token in tokens[shown]],
            "activations": activations[start][shown, unit],
            "peak": place - start - shown.start,
        }

    def listed(row: np.ndarray, sign: int) -> list[dict[str, Any]]:
        order = np.argsort(-sign * row, kind="stable")[: min(LISTED, int(usual.sum()))]
        return [{"token": int(token), "text": decode(token), "weight": float(row[token])} for token in order]

    made = []
    for unit, index in enumerate(chosen):
        fires = np.isfinite(entropy[unit])
        made.append(
            {
                "index": int(index),
                "density": float(tally.fired[unit] / n_tokens),
                "max_activation": float(tally.peak[unit, 0]),
                "token_entropy_nats": float(entropy[unit]) if fires else None,
                "effective_tokens": float(np.exp(entropy[unit])) if fires else None,
                "single_token": single[unit],
                "top_tokens": [
                    {"token": token, "text": decode(token), "mean_activation": mean, "count": int(occurrences[token])}
                    for token, mean in examples.top_tokens(tally.token_sums[:, unit], occurrences, LISTED)
                ],
                "examples": [example(unit, rank) for rank in range(n_examples) if tally.peak[unit, rank] > 0],
                "logit_weights": None
                if weights is None
                else {"top": listed(weights[unit], 1), "bottom": listed(weights[unit], -1)},
            }
        )
    return made
