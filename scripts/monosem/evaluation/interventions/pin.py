"""Pin a latent or a neuron to a value, or ablate it, while the model reads or writes.

    x' = x + (value − f_i(x)) · W_dec[i]        a latent
    x' = x + (value − x_i) · e_i                a neuron, or a dimension: no autoencoder

Only what the latent writes is exchanged: the autoencoder's error and all other latents stay as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from tokenizers import Tokenizer
from torch import Tensor, nn

from scripts.monosem.evaluation.interventions.document import NextToken
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.models import splice
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae, encode, reads
from scripts.monosem.text import bpe

SCRIPTS = {
    "arabic": r"[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff]",
    "hebrew": r"[\u0590-\u05ff\ufb1d-\ufb4f]",
}
RUNS = {"dna": r"[ACGT]{8,}", "base64": r"(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{16,}={0,2}"}

CONVENTIONS = {
    "pinned": "x' = x + (value - f) W_dec[i] at every position but the first, tokens above the norm limit untouched",
    "value": "dose times the latent's largest activation on the same tokens of the validation split for all latents",
    "share": "characters of the continuation in Arabic or Hebrew script, of all that are not white space; or in runs "
    "of 8 or more letters ACGT; or in runs of 16 or more base64 characters, a capital and a digit among them",
    "random": "live latents drawn uniformly, each pinned to its own largest activation on these tokens",
    "ablation": "value 0; change of the cross-entropy of the following token, nats",
    "sampling": "temperature 1; the same random numbers for every latent and dose",
}


def context_share(text: str, context: str) -> float:
    """Share of the characters (white space aside) that look like a planted context; 0 for empty text."""
    letters = re.sub(r"\s", "", text)
    if context in SCRIPTS:
        return len(re.findall(SCRIPTS[context], letters)) / max(len(letters), 1)
    return sum(len(match.group()) for match in re.finditer(RUNS[context], text)) / max(len(letters), 1)


def delta(
    sae: Sae | None, x: Float[Tensor, "n d"], latent: Int[Tensor, " n"], value: Float[Tensor, " n"]
) -> Float[Tensor, "n d"]:
    """Change of each row by which its latent (without an autoencoder: its neuron) has the value.

    0 for rows above the autoencoder's norm limit, which pass through as they do where fidelity is measured.
    """
    if sae is None:
        now = x.gather(1, latent[:, None])
        return torch.zeros_like(x).scatter_(1, latent[:, None], value[:, None].to(x.dtype) - now)
    now = encode(sae, x).gather(1, latent[:, None])[:, 0]
    return ((value - now) * reads(sae, x))[:, None] * sae.W_dec[latent]


@dataclass(frozen=True)
class Target:
    """Where a unit is: pinned there is a latent of the autoencoder, or without one a neuron of the site."""

    model: nn.Module
    """In eval mode."""
    site: Site
    sae: Sae | None


@dataclass(frozen=True)
class Pins:
    """One unit and value per row of a batch."""

    unit: Integer[np.ndarray, " batch"]
    value: Float[np.ndarray, " batch"]
    active: Bool[np.ndarray, " batch"]
    """False for rows in which nothing is changed."""
    stream: Integer[np.ndarray, " batch"]
    """Sequence of random numbers that a row uses; rows that share one differ by the intervention alone."""


@torch.inference_mode()
def pinned_logits(
    target: Target, tokens: Int[Tensor, "batch context"], unit: int | None, value: float = 0.0
) -> Float[Tensor, "batch context vocab"]:
    """Logits with one unit pinned to a value (None: nothing is changed)."""
    replace = None
    if unit is not None:

        def replace(x: Float[Tensor, "batch context d"]) -> Float[Tensor, "batch context d"]:
            rows = x.reshape(-1, x.shape[-1]).float()
            units = torch.full((len(rows),), unit, device=x.device)
            change = delta(target.sae, rows, units, torch.full((len(rows),), value, device=x.device)).view_as(x)
            change[:, 0] = 0
            return x + change

    return splice.run_spliced(target.model, target.site, tokens, replace)


@torch.inference_mode()
def losses(
    target: Target, tokens: Int[Tensor, "batch context"], unit: int | None, value: float = 0.0
) -> Float[Tensor, "batch context-1"]:
    """Cross-entropy in nats of every following token; see `pinned_logits`."""
    logits = pinned_logits(target, tokens, unit, value)[:, :-1]
    targets = tokens[:, 1:]
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)


@torch.inference_mode()
def sample(
    target: Target, prompt: Sequence[int], pins: Pins, n_tokens: int, seed: int
) -> tuple[Integer[np.ndarray, "batch n_tokens"], Float[np.ndarray, "batch vocab"]]:
    """Continue a prompt, each row of the batch with its unit pinned to its value.

    Returns: sampled ids, and the probabilities of the first of them.
    """
    device = target.model.device
    tokens = torch.tensor([list(prompt)] * len(pins.unit), device=device)
    unit, value = (torch.as_tensor(column, device=device) for column in (pins.unit, pins.value.astype(np.float32)))
    active = torch.as_tensor(pins.active, device=device)[:, None]
    changes: list[Tensor] = []
    unembedding = splice.unembedding_of(target.model)
    streams, place = np.unique(pins.stream, return_inverse=True)
    generators = [np.random.default_rng([seed, int(number)]) for number in streams]
    first = None
    for _ in range(n_tokens):
        clean = splice.run_clean(target.model, target.site, tokens)
        # activations before a position do not change when text is added: a position's change is computed once
        for position in range(len(changes), tokens.shape[1]):
            x = clean.activations[:, position].float()
            changes.append(delta(target.sae, x, unit, value) * active if position else torch.zeros_like(x))
        activations = clean.activations + torch.stack(changes, 1)
        logits = unembedding.logits(splice.run_suffix(target.model, target.site, clean, activations)[:, -1])
        first = logits.softmax(-1).cpu().numpy() if first is None else first
        noise = np.stack([generator.gumbel(size=logits.shape[1]) for generator in generators])[place]
        chosen = (logits + torch.as_tensor(noise, dtype=torch.float32, device=device)).argmax(-1)
        tokens = torch.cat([tokens, chosen[:, None]], 1)
    return tokens[:, len(prompt) :].cpu().numpy(), first


def encoded(tokenizer: Tokenizer, text: str, eos_token_id: int) -> list[int]:
    """Token ids of a text behind <|endoftext|>."""
    return [eos_token_id, *tokenizer.encode(text, add_special_tokens=False).ids]


def encoded_prompt(tokenizer: Tokenizer, text: str, eos_token_id: int, context: int) -> list[int]:
    """Token ids of a prompt behind <|endoftext|>; one that leaves no room in the context is cut to half of it."""
    ids = encoded(tokenizer, text, eos_token_id)
    return ids if len(ids) < context else bpe.cut(ids, max(1, context // 2), f"the prompt {text[:30]!r}")


def decoded(tokenizer: Tokenizer, ids: Integer[np.ndarray, "batch n_tokens"]) -> tuple[str, ...]:
    """Texts of sampled ids, one per row."""
    return tuple(tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in ids)


def next_tokens(tokenizer: Tokenizer, probabilities: Float[np.ndarray, " vocab"], n: int = 5) -> tuple[NextToken, ...]:
    """The most probable next tokens."""
    best = np.argsort(-probabilities, kind="stable")[:n]
    return tuple(NextToken(pieces(tokenizer, [int(token)])[0], float(probabilities[token])) for token in best)
