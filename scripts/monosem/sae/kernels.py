"""Products with a sparse code: everything after the encoder's product touches only active latents.

A batch of codes is stored row by row (CSR). Its decoding, the gradient of its values and the gradients of the decoder's
and encoder's rows are all sums of a few matrix rows per output row, which is what `embedding_bag` computes; it exists
on every device and is measured faster on CPU than CSR products. Sums have a fixed order: same bits every time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class Codes:
    """The active latents of a batch, row by row: row b owns the entries offsets[b] … offsets[b + 1] − 1."""

    values: Float[Tensor, " nnz"]  # f > 0, or 0 where fewer than k pre-activations are positive
    latents: Int[Tensor, " nnz"]  # which latent
    offsets: Int[Tensor, " batch+1"]  # first entry of each row, then nnz


@dataclass(frozen=True)
class ByLatent:
    """The same entries, sorted by latent."""

    order: Int[Tensor, " nnz"]  # position of each entry in Codes
    rows: Int[Tensor, " nnz"]  # batch row of each entry
    offsets: Int[Tensor, " d_sae+1"]  # first entry of each latent, then nnz


def _top_columns(x: Float[Tensor, "n m"], k: int, block: int = 8) -> Int[Tensor, "n k"]:
    """Columns of the k largest entries of each row.

    The k largest entries lie in the k blocks with the largest maxima, so that after one pass of maxima only k·block
    candidates are left; the blocks are found in the same way. Exact; measured 1.6 times as fast as torch.topk at
    [4096, 4096] with k 16 and 32 (CPU).
    """
    n, m = x.shape
    if m % block or m // block < 4 * k:
        return x.topk(k, dim=1, sorted=False).indices
    n_blocks = m // block  # block i is the columns i, i + n_blocks, …: maxima then run over contiguous memory
    blocks = _top_columns(x.view(n, block, n_blocks).amax(1), k, block)
    within = torch.arange(0, m, n_blocks, device=x.device).view(1, block, 1)
    candidates = (blocks.unsqueeze(1) + within).view(n, block * k)
    best = x.gather(1, candidates).topk(k, dim=1, sorted=False).indices
    return candidates.gather(1, best)


def topk(pre: Float[Tensor, "n d_sae"], k: int) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """relu of the k largest entries of each row, in no particular order, and their columns. `pre` is contiguous."""
    columns = _top_columns(pre, k)
    return pre.gather(1, columns).relu_(), columns


def topk_codes(pre: Float[Tensor, "n d_sae"], k: int) -> Codes:
    """The k largest entries of each row as codes."""
    values, columns = topk(pre, k)
    return Codes(values.view(-1), columns.view(-1), torch.arange(0, len(pre) * k + 1, k, device=pre.device))


def _where(mask: Bool[Tensor, "n d_sae"]) -> Int[Tensor, " nnz"]:
    """Positions of the true entries in the flattened mask, ascending."""
    if mask.device.type == "cpu":  # measured 1.6 times as fast as torch at L0 20, equal at L0 200
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.view(-1).nonzero().squeeze(1)


def _codes_at(values: Float[Tensor, " nnz"], flat: Int[Tensor, " nnz"], n: int, d_sae: int) -> Codes:
    """Codes with `values` at ascending positions `flat` of the dense [n, d_sae]."""
    offsets = torch.searchsorted(flat, torch.arange(0, n * d_sae + 1, d_sae, device=flat.device))
    return Codes(values, flat % d_sae, offsets)


def positive_codes(pre: Float[Tensor, "n d_sae"], positive: Bool[Tensor, "n d_sae"]) -> Codes:
    """All entries where `positive` (pre > 0, or another mask) holds, as codes."""
    flat = _where(positive)
    return _codes_at(pre.view(-1)[flat], flat, *pre.shape)


def batch_topk_codes(pre: Float[Tensor, "n d_sae"], count: int, guess: float = 0.0) -> tuple[Codes, Float[Tensor, ""]]:
    """The `count` largest entries of the whole batch, positive ones only, as codes; and the smallest of them.

    Entries equal to the smallest are all kept, so that the result does not depend on their order. `guess` is a number
    that the smallest is likely to exceed: only entries above it are sorted, and all positive ones if they are too few.
    Without any positive entry the smallest is 0.
    """
    for bound in (guess, 0.0) if guess > 0 else (0.0,):
        flat = _where(pre > bound)
        values = pre.view(-1)[flat]
        if len(values) >= count:
            smallest = values.kthvalue(len(values) - count + 1).values
            kept = values >= smallest
            return _codes_at(values[kept], flat[kept], *pre.shape), smallest
    return _codes_at(values, flat, *pre.shape), values.min() if len(values) else values.new_zeros(())


def decode(codes: Codes, decoder: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, "n d_in"]:
    """Σ_i f_bi · decoder_i for every row b, without b_dec."""
    return embedding_bag(
        codes.latents, decoder, codes.offsets, mode="sum", per_sample_weights=codes.values, include_last_offset=True
    )


def decode_with_pullback(
    codes: Codes, decoder: Float[Tensor, "d_sae d_in"]
) -> tuple[Float[Tensor, "n d_in"], Callable[[Float[Tensor, "n d_in"]], Float[Tensor, " nnz"]]]:
    """`decode`, and the function that turns ∂L/∂x̂ into ∂L/∂f of the active entries (g_b · decoder_i each).

    That gradient is the one derived kernel that torch offers only through the operation's own backward.
    """
    values = codes.values.detach().requires_grad_()
    with torch.enable_grad():
        out = embedding_bag(
            codes.latents, decoder, codes.offsets, mode="sum", per_sample_weights=values, include_last_offset=True
        )
    return out.detach(), lambda gradient: torch.autograd.grad(out, values, gradient)[0]


def by_latent(codes: Codes, d_sae: int) -> ByLatent:
    """Sort the entries of codes by latent (rows ascending within each)."""
    order = torch.sort(codes.latents.int(), stable=True).indices
    counts = torch.bincount(codes.latents, minlength=d_sae)
    offsets = torch.zeros(d_sae + 1, dtype=torch.long, device=counts.device)
    torch.cumsum(counts, 0, out=offsets[1:])
    n = len(codes.offsets) - 1
    rows = torch.repeat_interleave(torch.arange(n, device=order.device), codes.offsets.diff(), output_size=len(order))
    return ByLatent(order, rows[order], offsets)


def sum_by_latent(
    entries: ByLatent, weights: Float[Tensor, " nnz"], rows: Float[Tensor, "n d_in"]
) -> Float[Tensor, "d_sae d_in"]:
    """Σ_b weights_bi · rows_b for every latent i; `weights` are in the order of Codes."""
    return embedding_bag(
        entries.rows,
        rows,
        entries.offsets,
        mode="sum",
        per_sample_weights=weights[entries.order],
        include_last_offset=True,
    )


def scratch(
    buffers: dict[str, Tensor], name: str, like: Tensor, *shape: int, dtype: torch.dtype | None = None
) -> Tensor:
    """The buffer `name` of this shape, made at first use: 67 MB a step are not allocated again."""
    dtype = dtype or like.dtype
    if name not in buffers or buffers[name].shape != shape or buffers[name].dtype != dtype:
        buffers[name] = torch.empty(shape, dtype=dtype, device=like.device)
    return buffers[name]
