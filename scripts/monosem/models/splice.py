"""Run a model with the activations at one site replaced, and score its predictions.

`run_spliced` is the plain form: tokens in, logits out. To score many replacements of the same text, use its parts:
`run_clean` keeps what no replacement changes, `run_suffix` recomputes only what comes after the site, and `score` gets
loss and divergence from the log-normaliser of each token alone, one block of logits at a time.

The model's modules compute everything after the site. Modules of the site's block that come before it return the
recorded result, and the module at the site gets or returns the replacement. d_embed is the width of the unembedding's
input: d_model, except in the OPT models that project.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scripts.monosem.models import sites
from scripts.monosem.models.families import Family, family_of
from scripts.monosem.models.sites import Site

Replace = Callable[[Float[Tensor, "batch context d_in"]], Float[Tensor, "batch context d_in"]]
BLOCK_NUMBERS = 2**19  # logits in flight: 2 MB in float32 stay in a core's cache, larger blocks are slower
FEWEST_ROWS = 128  # with fewer rows at a time, reading the unembedding costs as much as the product
BLOCK_ROWS = 512  # of a block that has a part of the vocabulary: at 49,152 tokens 2.5 times as fast as 16 whole rows
BEFORE_ATTENTION = ("hook_resid_pre", "hook_attn_out", "hook_resid_mid")


def replace_kept(
    x: Float[Tensor, "batch context d_in"], kept: Bool[Tensor, "batch context"], values: Float[Tensor, "n d_in"]
) -> Float[Tensor, "batch context d_in"]:
    """x with the rows at kept positions replaced by `values`."""
    spliced = x.clone()
    spliced[kept] = values.to(x.dtype)
    return spliced


@dataclass(frozen=True)
class Clean:
    """Results of one clean pass that the replacements need."""

    activations: Float[Tensor, "batch context d_in"]
    """At the site."""
    shape: torch.Size
    """Of the tensor at the site: some models work on flat rows."""
    block_input: Float[Tensor, "batch context d_model"] | None
    """Residual stream entering the site's block."""
    attention: Any
    """Output of that block's attention module; None where the configuration named the site's module."""
    arguments: tuple[tuple[tuple, dict], ...]
    """Further arguments of each block from the site's on: mask, positions."""
    final: Float[Tensor, "batch context d_embed"]
    """After the last norm: the input of the unembedding."""
    inputs: tuple[Tensor, dict[str, Tensor]]
    """Arguments of the pass: tokens, and what `sites.packing` adds."""


@torch.inference_mode()
def run_clean(
    model: nn.Module, site: Site, tokens: Int[Tensor, "batch context"], separator: int | None = None
) -> Clean:
    """One pass without the unembedding that records the site and the residual stream around it.

    `separator` is the token before every document, see `sites.packing`.
    """
    seen: dict[str, Any] = {}
    arguments: list[tuple[tuple, dict]] = []
    handles = [sites.observe(site, lambda value: seen.setdefault("activations", value))]

    def record_block(_module: nn.Module, inputs: tuple, keywords: dict) -> None:
        seen.setdefault("block_input", inputs[0])
        arguments.append((inputs[1:], keywords))

    def record_attention(_module: nn.Module, _inputs: tuple, output: Any) -> None:
        seen["attention"] = output

    if site.layer is not None:
        family, blocks = family_of(model.config.to_dict()), sites.blocks_of(model)[site.layer :]
        handles += [block.register_forward_pre_hook(record_block, with_kwargs=True) for block in blocks]
        attention = blocks[0].get_submodule(family.attention)
        handles.append(attention.register_forward_hook(record_attention))
    packed = sites.packing(model, tokens, separator)
    try:
        final = sites.body_of(model)(tokens, use_cache=False, **packed).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    raw = seen["activations"]
    return Clean(
        activations=sites.shaped(raw, tokens, site),
        shape=raw.shape,
        block_input=seen.get("block_input"),
        attention=seen.get("attention"),
        arguments=tuple(arguments),
        final=final,
        inputs=(tokens, packed),
    )


@contextlib.contextmanager
def _with_results(results: list[tuple[nn.Module, Any]]) -> Iterator[None]:
    """Let modules return these results without computing anything."""
    for module, result in results:
        module.forward = lambda *_, _result=result, **__: _result
    try:
        yield
    finally:
        for module, _ in results:
            del module.forward


@contextlib.contextmanager
def _with_input(module: nn.Module, value: Tensor) -> Iterator[None]:
    """Let a module work on `value` whatever its input is."""

    def replace(_module: nn.Module, args: tuple, keywords: dict) -> tuple[tuple, dict]:
        return ((value, *args[1:]), keywords) if args else ((), {**keywords, next(iter(keywords)): value})

    handle = module.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _like(output: Any, value: Tensor) -> Any:
    """`value` in the form of a module's output."""
    return (value, *output[1:]) if isinstance(output, tuple) else value


def _through_block(block: nn.Module, family: Family, site: Site, clean: Clean, value: Tensor) -> Tensor:
    """The block's output with the activations at the site replaced."""
    arguments, keywords = clean.arguments[0]
    attention = block.get_submodule(family.attention)
    stream, known = clean.block_input, []
    if site.inner not in BEFORE_ATTENTION:
        known.append((attention, clean.attention))
    if site.inner == "hook_resid_pre":
        stream = value
    elif site.inner == "hook_resid_mid":
        # it enters the MLP and the sum, as the block's input does where attention adds nothing
        stream = value.reshape(clean.block_input.shape)
        added = block.get_submodule(family.sites["hook_attn_out"][0])
        nothing = torch.zeros_like(stream)
        known.append((added, _like(clean.attention if added is attention else nothing, nothing)))
        if added is not attention:
            known.append((attention, clean.attention))
    elif site.side == "output":
        if site.module is not attention and site.inner == "hook_attn_out":
            known.append((attention, clean.attention))
        known.append((site.module, _like(clean.attention if site.module is attention else value, value)))
    else:
        known += [(block.get_submodule(path), value) for path in family.before_post]
    inside = site.side == "input" and site.inner not in ("hook_resid_pre", "hook_resid_mid")
    with _with_results(known), _with_input(site.module, value) if inside else contextlib.nullcontext():
        return sites.first(block(stream, *arguments, **keywords))


@torch.inference_mode()
def run_suffix(
    model: nn.Module, site: Site, clean: Clean, activations: Float[Tensor, "batch context d_in"]
) -> Float[Tensor, "batch context d_embed"]:
    """The final hidden state with the site's activations replaced; nothing before the site's block is recomputed.

    For a site that the configuration named itself the whole body runs again.
    """
    body, value = sites.body_of(model), activations.to(clean.activations.dtype).reshape(clean.shape)
    if site.layer is None:
        tokens, packed = clean.inputs
        if site.side == "input":
            replaced = _with_input(site.module, value)
        else:
            handle = site.module.register_forward_hook(lambda _module, _inputs, output: _like(output, value))
            replaced = contextlib.ExitStack()
            replaced.callback(handle.remove)
        with replaced:
            return body(tokens, use_cache=False, **packed).last_hidden_state
    family, blocks = family_of(model.config.to_dict()), sites.blocks_of(model)[site.layer :]
    x = value if site.inner == "hook_resid_post" else _through_block(blocks[0], family, site, clean, value)
    for block, (arguments, keywords) in zip(blocks[1:], clean.arguments[1:], strict=True):
        x = sites.first(block(x, *arguments, **keywords))
    for path in family.after_blocks:
        module = getattr(body, path, None)
        x = x if module is None else module(x)
    return x


@dataclass(frozen=True)
class Unembedding:
    """The map from the final hidden state to logits."""

    weight: Float[Tensor, "vocab d_embed"]
    """One row per token."""
    bias: Float[Tensor, " vocab"] | None = None
    """Added to the logits."""
    softcap: float | None = None
    """Logits are capped smoothly at this size, as in Gemma 2."""

    def logits(
        self, hidden: Float[Tensor, "*rows d_embed"], tokens: slice = slice(None)
    ) -> Float[Tensor, "*rows some_vocab"]:
        """Logits of some tokens (all if not given) in float32, whatever the model computes in."""
        logits = (hidden @ self.weight[tokens].T).float()
        if self.bias is not None:
            logits += self.bias[tokens]
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap


def unembedding_of(model: nn.Module) -> Unembedding:
    """The unembedding of a causal language model."""
    head, softcap = model.get_output_embeddings(), getattr(model.config, "final_logit_softcapping", None)
    return Unembedding(head.weight, getattr(head, "bias", None), softcap)


@torch.inference_mode()
def run_spliced(
    model: nn.Module,
    site: Site,
    tokens: Int[Tensor, "batch context"],
    replace: Replace | None,
    separator: int | None = None,
) -> Float[Tensor, "batch context vocab"]:
    """Logits of a forward pass in which `replace` maps the activations at a site; None changes nothing."""
    clean = run_clean(model, site, tokens, separator)
    final = clean.final if replace is None else run_suffix(model, site, clean, replace(clean.activations))
    return unembedding_of(model).logits(final)


@dataclass(frozen=True)
class Reference:
    """The clean model's predictions at the scored positions, as far as loss and divergence need them."""

    hidden: Float[Tensor, "n d_embed"]
    """Final hidden state."""
    targets: Int[Tensor, " n"]
    """The token that follows."""
    log_normaliser: Float[Tensor, " n"]
    """Log sum exp of the logits."""
    expected_embedding: Float[Tensor, "n d_embed"] | None
    """Sum over tokens of p(token) times its unembedding vector; None where logits are capped, thus not linear."""
    loss: Float[Tensor, " n"]
    """Cross-entropy, nats."""


def _blocks(n_rows: int, vocab: int) -> tuple[list[slice], list[slice]]:
    """Rows and tokens of the blocks in which logits are made: whole rows, or parts of more rows for many tokens."""
    rows, tokens = BLOCK_NUMBERS // vocab, vocab
    if rows < FEWEST_ROWS:
        rows, tokens = BLOCK_ROWS, max(1, BLOCK_NUMBERS // BLOCK_ROWS)
    return (
        [slice(start, start + rows) for start in range(0, n_rows, rows)],
        [slice(start, start + tokens) for start in range(0, vocab, tokens)],
    )


def _softmax_sums(
    hidden: Float[Tensor, "n d_embed"], unembedding: Unembedding, with_embedding: bool
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d_embed"] | None]:
    """log Σ_v exp(logit_v) per row and, if wanted, Σ_v p_v U_v, one block of logits at a time.

    Sums are relative to the largest logit so far, as in online softmax (Milakov and Gimelshein 2018).
    """
    normaliser = hidden.new_empty(len(hidden), dtype=torch.float32)
    embedding = torch.empty_like(hidden, dtype=torch.float32) if with_embedding else None
    row_blocks, token_blocks = _blocks(len(hidden), len(unembedding.weight))
    for rows in row_blocks:
        largest, total, mixed = None, 0.0, 0.0
        for tokens in token_blocks:
            logits = unembedding.logits(hidden[rows], tokens)
            top = logits.amax(-1, keepdim=True)
            if largest is not None:
                top = torch.maximum(top, largest)
                shrink = (largest - top).exp_()
                total, mixed = total * shrink, mixed * shrink
            likelihood, largest = logits.sub_(top).exp_(), top
            total = total + likelihood.sum(-1, keepdim=True)
            if with_embedding:
                mixed = mixed + (likelihood.to(unembedding.weight.dtype) @ unembedding.weight[tokens]).float()
        normaliser[rows] = total.log().add_(largest)[:, 0]
        if with_embedding:
            embedding[rows] = mixed / total
    return normaliser, embedding


def _loss(
    hidden: Float[Tensor, "n d_embed"],
    unembedding: Unembedding,
    normaliser: Float[Tensor, " n"],
    targets: Int[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """Cross-entropy in nats."""
    logit = (hidden.float() * unembedding.weight[targets].float()).sum(-1)
    if unembedding.bias is not None:
        logit += unembedding.bias[targets]
    if unembedding.softcap is not None:
        logit = torch.tanh(logit / unembedding.softcap) * unembedding.softcap
    return normaliser - logit


@torch.inference_mode()
def reference(hidden: Float[Tensor, "n d_embed"], unembedding: Unembedding, targets: Int[Tensor, " n"]) -> Reference:
    """Score the clean model once."""
    normaliser, expected = _softmax_sums(hidden, unembedding, with_embedding=unembedding.softcap is None)
    loss = _loss(hidden, unembedding, normaliser, targets)
    return Reference(hidden, targets, normaliser, expected, loss)


def _divergence(
    clean: Reference, hidden: Float[Tensor, "n d_embed"], normaliser: Float[Tensor, " n"], unembedding: Unembedding
) -> Float[Tensor, " n"]:
    """KL(clean ‖ replaced) by its definition, one block of logits at a time."""
    result = normaliser - clean.log_normaliser
    row_blocks, token_blocks = _blocks(len(hidden), len(unembedding.weight))
    for rows in row_blocks:
        for tokens in token_blocks:
            logits = unembedding.logits(clean.hidden[rows], tokens)
            p = (logits - clean.log_normaliser[rows, None]).exp_()
            result[rows] += p.mul_(logits.sub_(unembedding.logits(hidden[rows], tokens))).sum(-1)
    return result


@torch.inference_mode()
def score(
    clean: Reference, hidden: Float[Tensor, "n d_embed"], unembedding: Unembedding
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Cross-entropy and KL(clean ‖ replaced) in nats per token of a replaced run.

    With logits h·U and log-normaliser Z(h), KL = Σ_v p_v (log p_v − log q_v) = (h_clean − h)·Σ_v p_v U_v
    − Z(h_clean) + Z(h): the clean probabilities enter only through their expected unembedding vector. Where logits are
    capped, KL is computed as it is defined.
    """
    normaliser, _ = _softmax_sums(hidden, unembedding, with_embedding=False)
    if clean.expected_embedding is None:
        divergence = _divergence(clean, hidden, normaliser, unembedding)
    else:
        moved = ((clean.hidden.float() - hidden.float()) * clean.expected_embedding).sum(-1)
        divergence = moved - clean.log_normaliser + normaliser
    return _loss(hidden, unembedding, normaliser, clean.targets), divergence
