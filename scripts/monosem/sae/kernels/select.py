"""The active latents of a batch, from their pre-activations: the largest of each row or of the batch, or all above a
bound.

On the CPU in compiled loops (numba_loops.py), elsewhere with torch. Every choice is exact and has a fixed order.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.sae.kernels import numba_loops
from scripts.monosem.sae.kernels.sparse import Codes, as_integers, is_compiled
from scripts.monosem.sae.kernels.threads import over_rows

ROWS = 1024  # of a batch at a time, so that memory stays small: fewer, and products get slower


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Of codes: bfloat16 is widened to float32."""
    return torch.promote_types(dtype, torch.float32)


def _widening(pre: Tensor) -> int:
    return 16 if pre.dtype == torch.bfloat16 else 0


def _top_columns(x: Float[Tensor, "n m"], k: int, block: int = 8) -> Int[Tensor, "n k"]:
    """Columns of the k largest entries of each row, where there is no compiled kernel.

    The k largest entries lie in the k blocks with the largest maxima, so that after one pass of maxima only k·block
    candidates are left; the blocks are found in the same way. Exact.
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
    if not is_compiled(pre):
        columns = _top_columns(pre, k)
        return pre.gather(1, columns).relu_().to(_wide(pre.dtype)), columns
    values = torch.empty(len(pre), k, dtype=_wide(pre.dtype))
    columns = torch.empty(len(pre), k, dtype=torch.long)
    over_rows(lambda first, last: topk_into(pre[first:last], columns, values, first), len(pre))
    return values, columns


def topk_into(pre: Float[Tensor, "m d_sae"], columns: Tensor, values: Tensor, first: int) -> None:
    """`topk` of some rows on the CPU, into rows first … of the results; bfloat16 is widened to float32."""
    k = columns.shape[1]
    numba_loops.select(as_integers(pre), k, _widening(pre), columns.numpy(), as_integers(values), first)


def topk_codes(pre: Float[Tensor, "n d_sae"], k: int) -> Codes:
    """The k largest entries of each row as codes."""
    return codes_of(*topk(pre, k))


def codes_of(values: Float[Tensor, "n k"], columns: Int[Tensor, "n k"]) -> Codes:
    """As many entries in every row."""
    n, k = values.shape
    return Codes(values.view(-1), columns.view(-1), torch.arange(0, n * k + 1, k, device=values.device))


def codes_above(
    pre: Float[Tensor, "n d_sae"],
    bound: float | Float[Tensor, " d_sae"],
    share: float = 1.0,
    fill: Callable[[int, int], None] | None = None,
) -> Codes | None:
    """Entries of each row above `bound` (one number, or one per latent), in the order of columns.

    Args: share: the result is None if more than this share of `pre` is above (CPU: in some ROWS rows of it); fill:
    fill(first, last) is called before these rows of `pre` are looked at (CPU).
    """
    n, d_sae = pre.shape
    if not n or not is_compiled(pre):
        return _positions_above(pre, bound, share)
    bounds = torch.as_tensor(bound, dtype=_wide(pre.dtype)).expand(d_sae)
    bits, keys = as_integers(pre), _ordered_integers(bounds, pre.dtype).numpy()
    counts = torch.zeros(n + 1, dtype=torch.long)
    parts: list = [None] * -(-n // ROWS)

    def work(first: int, last: int) -> None:
        for start in range(first, last, ROWS):
            stop = min(start + ROWS, last)
            if fill is not None:
                fill(start, stop)
            capacity = int(share * (stop - start) * d_sae)
            latents, values = torch.empty(capacity, dtype=torch.int32), torch.empty(capacity, dtype=bounds.dtype)
            into = (latents.numpy(), as_integers(values), counts[1 + start : 1 + stop].numpy())
            total = numba_loops.take_above(bits[start:stop], keys, _widening(pre), *into)
            parts[start // ROWS] = (latents[:total].clone(), values[:total].clone()) if total <= capacity else None

    over_rows(work, n, ROWS)
    if any(part is None for part in parts):
        return None
    latents, values = (torch.cat(column) for column in zip(*parts, strict=True))
    return Codes(values, latents, counts.cumsum(0))


def _positions_above(pre: Float[Tensor, "n d_sae"], bound: float | Tensor, share: float) -> Codes | None:
    n, d_sae = pre.shape
    flat = (pre > bound).view(-1).nonzero().squeeze(1)
    if len(flat) > share * pre.numel():
        return None
    offsets = torch.searchsorted(flat, torch.arange(0, n * d_sae + 1, d_sae, device=pre.device))
    return Codes(pre.view(-1)[flat].to(_wide(pre.dtype)), flat % d_sae, offsets)


def _ordered_integers(bounds: Float[Tensor, " d_sae"], dtype: torch.dtype) -> Int[Tensor, " d_sae"]:
    """Integers T so that z > bound ⇔ key(z) > T for floats z of `dtype`; key is that of numba_loops.take_above."""
    bits = torch.from_numpy(as_integers(bounds + 0.0))  # −0 becomes 0
    keys = torch.where(bits < 0, bits ^ torch.iinfo(bits.dtype).max, bits)
    if dtype != torch.bfloat16:
        return keys
    down = (keys < 0) & (keys & 0xFFFF != 0xFFFF)  # negative: the key of a bfloat16 number ends in ones
    return ((keys >> 16) - down.int()).clamp_min(-(2**15)).short()


def batch_candidates(pre: Float[Tensor, "n d_sae"], count: int) -> Codes:
    """A superset of the `count` largest positive entries of the whole batch, usually little more."""
    few = pre[:: max(1, len(pre) // 64)].to(_wide(pre.dtype))
    rank = min(few.numel(), 2 * max(1, round(count * len(few) / len(pre))))  # of the bound among these few rows
    bound = max(0.0, float(few.flatten().kthvalue(few.numel() - rank + 1).values))
    codes = codes_above(pre, bound)
    return codes if len(codes.values) >= count or bound == 0 else codes_above(pre, 0.0)


def largest_of_batch(candidates: Codes, count: int) -> tuple[Codes, Float[Tensor, ""]]:
    """The `count` largest entries of codes that hold only positive ones, ties to the earlier; and the smallest of them.

    All, if there are no more; without any entry the smallest is 0.
    """
    values = candidates.values
    if len(values) <= count:
        return candidates, values.min() if len(values) else values.new_zeros(())
    if is_compiled(values):
        bits = as_integers(torch.empty(1, dtype=values.dtype))
        bits[0] = numba_loops.kth_largest(as_integers(values), count)
        smallest = torch.from_numpy(bits).view(values.dtype)[0]
    else:
        smallest = values.kthvalue(len(values) - count + 1).values
    kept = values > smallest
    ties = (values == smallest).nonzero().squeeze(1)
    kept[ties[: count - int(kept.sum())]] = True
    before = torch.zeros(len(values) + 1, dtype=torch.long, device=values.device)
    torch.cumsum(kept, 0, out=before[1:])
    return Codes(values[kept], candidates.latents[kept], before[candidates.offsets]), smallest


def nested_groups(codes: Codes, widths: tuple[int, ...]) -> Codes:
    """Each row, whose latents ascend, cut into one row per width: latents below the first width, below the second, …"""
    n, groups = len(codes.offsets) - 1, len(widths)
    inner = torch.tensor(widths[:-1], device=codes.latents.device)
    group = torch.bucketize(codes.latents, inner, right=True)
    rows = torch.repeat_interleave(torch.arange(n, device=group.device), codes.offsets.diff())
    offsets = torch.zeros(n * groups + 1, dtype=torch.long, device=group.device)
    torch.cumsum(torch.bincount(rows * groups + group, minlength=n * groups), 0, out=offsets[1:])
    return Codes(codes.values, codes.latents, offsets)
