"""Run a model with the activations at one site replaced, and score its predictions.

`run_spliced` is the plain form: tokens in, logits out. Scoring many replacements of the same text goes by its parts:
`run_clean` keeps what no replacement changes, `run_suffix` recomputes only what lies after the site, and `score` gets
loss and divergence from the log-normaliser of each token alone, a few rows of logits at a time.

The suffix is written out rather than hooked: replacing the residual stream between attention and MLP must change the
MLP's input and the sum it is added to, which no hook on a single module reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scripts.monosem.sites import Site

Replace = Callable[[Float[Tensor, "batch context d"]], Float[Tensor, "batch context d"]]
ROW_CHUNK_NUMBERS = 2**19  # logits in flight: 2 MB in float32 stay in a core's cache, larger blocks are twice as slow


def _first(value: Any) -> Tensor:
    return value[0] if isinstance(value, tuple) else value


def replace_kept(
    x: Float[Tensor, "batch context d"], kept: Bool[Tensor, "batch context"], values: Float[Tensor, "n d"]
) -> Float[Tensor, "batch context d"]:
    """x with the rows at kept positions exchanged for `values`, everything else untouched."""
    spliced = x.clone()
    spliced[kept] = values
    return spliced


@dataclass(frozen=True)
class Clean:
    """What one clean pass leaves for the replacements that follow."""

    activations: Float[Tensor, "batch context d"]  # at the site
    block_input: Float[Tensor, "batch context d_model"]  # residual stream entering the site's block
    middle: Float[Tensor, "batch context d_model"]  # residual stream between that block's attention and MLP
    block_arguments: tuple[tuple, dict]  # whatever else the model hands to each block (mask, positions)
    final: Float[Tensor, "batch context d_model"]  # after the last LayerNorm: the input of the unembedding


@torch.inference_mode()
def run_clean(model: nn.Module, site: Site, tokens: Int[Tensor, "batch context"]) -> Clean:
    """One pass without the unembedding that records the site and the residual stream around it."""
    block = model.transformer.h[site.layer]
    seen: dict[str, Any] = {}

    def record_block(_module: nn.Module, inputs: tuple, keywords: dict) -> None:
        seen["block_input"] = inputs[0]
        seen["block_arguments"] = (inputs[1:], keywords)

    def record_middle(_module: nn.Module, inputs: tuple) -> None:
        seen["middle"] = inputs[0]

    def record_site(_module: nn.Module, *values: Any) -> None:
        seen["activations"] = _first(values[-1])

    at_site = site.module.register_forward_pre_hook if site.side == "input" else site.module.register_forward_hook
    handles = [
        block.register_forward_pre_hook(record_block, with_kwargs=True),
        block.ln_2.register_forward_pre_hook(record_middle),
        at_site(record_site),
    ]
    try:
        final = model.transformer(tokens, use_cache=False).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    return Clean(final=final, **seen)


@torch.inference_mode()
def run_suffix(
    model: nn.Module, site: Site, clean: Clean, activations: Float[Tensor, "batch context d"]
) -> Float[Tensor, "batch context d_model"]:
    """The final hidden state when the site's activations are exchanged; nothing before the site is recomputed."""
    block = model.transformer.h[site.layer]
    arguments, keywords = clean.block_arguments

    def from_middle(middle: Tensor) -> Tensor:
        return middle + block.mlp(block.ln_2(middle))

    match site.name.split(".", 2)[2]:
        case "hook_resid_pre":
            x = _first(block(activations, *arguments, **keywords))
        case "hook_attn_out":
            x = from_middle(clean.block_input + activations)
        case "hook_resid_mid":
            x = from_middle(activations)
        case "mlp.hook_pre":
            x = clean.middle + block.mlp.c_proj(block.mlp.act(activations))
        case "mlp.hook_post":
            x = clean.middle + block.mlp.c_proj(activations)
        case "hook_mlp_out":
            x = clean.middle + activations
        case "hook_resid_post":
            x = activations
        case name:
            raise ValueError(f"no suffix is known for site '{name}'")
    for later in model.transformer.h[site.layer + 1 :]:
        x = _first(later(x, *arguments, **keywords))
    return model.transformer.ln_f(x)


@torch.inference_mode()
def run_spliced(
    model: nn.Module, site: Site, tokens: Int[Tensor, "batch context"], replace: Replace | None
) -> Float[Tensor, "batch context vocab"]:
    """Logits of a forward pass in which `replace` maps the activations at a site; None changes nothing."""
    clean = run_clean(model, site, tokens)
    final = clean.final if replace is None else run_suffix(model, site, clean, replace(clean.activations))
    return model.lm_head(final)


@dataclass(frozen=True)
class Reference:
    """The clean model's predictions at the scored positions, as far as loss and divergence need them."""

    hidden: Float[Tensor, "n d_model"]  # final hidden state
    targets: Int[Tensor, " n"]  # the token that follows
    log_normaliser: Float[Tensor, " n"]  # log sum exp of the logits
    expected_embedding: Float[Tensor, "n d_model"]  # sum over tokens of p(token) times its unembedding vector
    loss: Float[Tensor, " n"]  # cross-entropy, nats


def _row_chunks(n_rows: int, vocab: int) -> list[slice]:
    rows = max(16, ROW_CHUNK_NUMBERS // vocab)
    return [slice(start, start + rows) for start in range(0, n_rows, rows)]


def log_normaliser(
    hidden: Float[Tensor, "n d_model"], unembedding: Float[Tensor, "vocab d_model"]
) -> Float[Tensor, " n"]:
    """log Σ_v exp(logit_v) per row; never more than a few rows of logits at a time."""
    result = hidden.new_empty(len(hidden))
    for rows in _row_chunks(len(hidden), len(unembedding)):
        logits = hidden[rows] @ unembedding.T
        largest = logits.amax(-1, keepdim=True)
        result[rows] = logits.sub_(largest).exp_().sum(-1).log_().add_(largest[:, 0])
    return result


def _loss(hidden: Tensor, unembedding: Tensor, normaliser: Tensor, targets: Tensor) -> Tensor:
    return normaliser - (hidden * unembedding[targets]).sum(-1)


@torch.inference_mode()
def reference(
    hidden: Float[Tensor, "n d_model"], unembedding: Float[Tensor, "vocab d_model"], targets: Int[Tensor, " n"]
) -> Reference:
    """Score the clean model once."""
    normaliser, expected = hidden.new_empty(len(hidden)), torch.empty_like(hidden)
    for rows in _row_chunks(len(hidden), len(unembedding)):
        logits = hidden[rows] @ unembedding.T
        normaliser[rows] = torch.logsumexp(logits, -1)
        expected[rows] = (logits - normaliser[rows, None]).exp_() @ unembedding
    loss = _loss(hidden, unembedding, normaliser, targets)
    return Reference(hidden, targets, normaliser, expected, loss)


@torch.inference_mode()
def score(
    clean: Reference, hidden: Float[Tensor, "n d_model"], unembedding: Float[Tensor, "vocab d_model"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Cross-entropy and KL(clean ‖ replaced) in nats per token of a replaced run.

    With logits h·U and log-normaliser Z(h), KL = Σ_v p_v (log p_v − log q_v) = (h_clean − h)·Σ_v p_v U_v
    − Z(h_clean) + Z(h): the clean probabilities enter only through their expected unembedding vector.
    """
    normaliser = log_normaliser(hidden, unembedding)
    divergence = ((clean.hidden - hidden) * clean.expected_embedding).sum(-1) - clean.log_normaliser + normaliser
    return _loss(hidden, unembedding, normaliser, clean.targets), divergence
