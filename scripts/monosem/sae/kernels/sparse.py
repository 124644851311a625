"""Products with a sparse code: everything after the encoder's product touches only active latents.

A batch of codes is stored row by row (CSR). Its decoding, the gradient of its values and the gradients of the decoder's
and encoder's rows are all sums of a few matrix rows per output row. On the CPU they are compiled loops
(numba_loops.py) on as many threads as torch uses; elsewhere `embedding_bag`. Sums have a fixed order: same bits every
time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from scripts.monosem.sae.kernels import numba_loops
from scripts.monosem.sae.kernels.threads import over_rows

Table = Float[Tensor, "_blocks _n _block"] | Float[Tensor, "_n _d"]
"""A matrix [n, d] as the kernels read it: column blocks [blocks, n, BLOCK] on the CPU, elsewhere the matrix itself."""


@dataclass(frozen=True)
class Codes:
    """The active latents of a batch, row by row: row b has the entries offsets[b] … offsets[b + 1] − 1."""

    values: Float[Tensor, " nnz"]
    """f > 0, or 0 where fewer than k pre-activations are positive."""
    latents: Int[Tensor, " nnz"]
    """Latent of each entry."""
    offsets: Int[Tensor, " boundaries"]
    """First entry of each row, then nnz: batch + 1 numbers."""


@dataclass(frozen=True)
class ByLatent:
    """The same entries, sorted by latent."""

    order: Int[Tensor, " nnz"]
    """Position of each entry in Codes."""
    rows: Int[Tensor, " nnz"]
    """Row of each entry in Codes."""
    offsets: Int[Tensor, " boundaries"]
    """First entry of each latent, then nnz: d_sae + 1 numbers."""
    n_rows: int
    """Of Codes."""


def is_compiled(x: Tensor) -> bool:
    """True if numba_loops.py has the kernels for tensors like this one."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64, torch.bfloat16)


def as_integers(x: Float[Tensor, "*axes"]) -> Int[np.ndarray, "*axes"]:
    """Floats as numpy's signed integers of the same width, whose order is theirs where they are positive."""
    width = {torch.float64: torch.int64, torch.float32: torch.int32, torch.bfloat16: torch.int16}
    return x.view(width[x.dtype]).numpy()


def table_shape(n: int, d: int) -> tuple[int, int, int]:
    """Shape of an [n, d] matrix on the CPU as a table."""
    return -(-d // numba_loops.BLOCK), n, numba_loops.BLOCK


def table_of(matrix: Float[Tensor, "n d"], out: Table | None = None) -> Table:
    """A matrix as the kernels read it; on the CPU written to `out` if given."""
    if not is_compiled(matrix):
        return matrix
    n, d = matrix.shape
    out = empty(matrix, *table_shape(n, d)) if out is None else out
    over_rows(lambda first, last: numba_loops.to_blocks(matrix.numpy(), out.numpy(), first, last), n)
    return out


def matrix_of(table: Table, d: int) -> Float[Tensor, "n d"]:
    """The inverse of `table_of`."""
    if table.dim() == 2:
        return table
    out = torch.empty(table.shape[1], d, dtype=table.dtype)
    over_rows(lambda first, last: numba_loops.from_blocks(table.numpy(), out.numpy(), first, last), len(out))
    return out


def sum_columns(matrix: Float[Tensor, "n m"]) -> Float[Tensor, " m"]:
    """Sum over the rows, in float32 at least; torch would first make a float32 copy of a bfloat16 matrix."""
    if matrix.dtype != torch.bfloat16 or not is_compiled(matrix):
        return matrix.sum(0, dtype=torch.promote_types(matrix.dtype, torch.float32))
    out = torch.empty(matrix.shape[1])
    arrays = (matrix.view(torch.uint16).numpy(), out.numpy())
    over_rows(lambda first, last: numba_loops.sum_columns(*arrays, first, last), len(out))
    return out


def column_sums(table: Table, d: int) -> Float[Tensor, " d"]:
    """Sum over the rows."""
    return table.sum(-2).flatten()[:d]


def _sums(
    weights: Float[Tensor, " nnz"],
    indices: Int[Tensor, " nnz"],
    offsets: Int[Tensor, " boundaries"],
    table: Float[Tensor, "blocks m block"],
    out: Float[Tensor, "n d"],
) -> Float[Tensor, "n d"]:
    """Σ over the entries e of row r of weights[e] · table[indices[e]], for every r; `table` is cut into blocks."""
    entries = (weights.numpy(), indices.numpy(), offsets.numpy())
    target = out.numpy()

    def work(first: int, last: int) -> None:
        for i, block in enumerate(table.numpy()):
            numba_loops.sum_rows(*entries, block, target, i * numba_loops.BLOCK, first, last)

    over_rows(work, len(out))
    return out


def decode(codes: Codes, decoder: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, "n d_in"]:
    """Σ_i f_bi · decoder_i for every row b, without b_dec."""
    if is_compiled(decoder):
        out = empty(decoder, len(codes.offsets) - 1, decoder.shape[1])
        return _sums(codes.values, codes.latents, codes.offsets, table_of(decoder), out)
    return _bags(codes.values, codes.latents, codes.offsets, decoder)


def _bags(weights: Tensor, indices: Tensor, offsets: Tensor, table: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
    return embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True)


@dataclass(frozen=True)
class Reconstruction:
    """Errors of a decoded code against its target, and gradients. One row b has `nested` groups of latents, one after
    another; e_bs = (decoded groups 0 … s) − target_b. The loss is factor/2 · Σ_bs ‖e_bs‖².
    """

    grad_decoded: Table
    """Row b · nested + s: factor · Σ_{t ≥ s} e_bt, the gradient of the part that group s decodes to."""
    grad_values: Float[Tensor, " nnz"] | Float[Tensor, "batch d_sae"]
    """Gradient of each value: grad_decoded of its group · decoder row of its latent; a matrix if dense."""
    squares: Float[Tensor, " groups"]
    """‖e_bs‖², batch · nested numbers."""


def reconstruct(
    codes: Codes, decoder: Table, target: Table, factor: float, nested: int = 1, grad_decoded: Table | None = None
) -> Reconstruction:
    """Decode, compare with a target and differentiate factor/2 · Σ_bs ‖e_bs‖² in one pass over the decoder.

    Args: codes: with `nested` groups per row of the target, each a row of `codes`; grad_decoded: memory for it (CPU).
    """
    n = target.shape[-2]
    if target.dim() == 2:
        values = codes.values.detach().requires_grad_()  # torch has the kernel of `grad_values` only as a backward
        with torch.enable_grad():
            out = _bags(values, codes.latents, codes.offsets, decoder)
        errors = out.detach().view(n, nested, -1).cumsum(1) - target.unsqueeze(1)
        grad_decoded = errors.mul(factor).flip(1).cumsum(1).flip(1).reshape(n * nested, -1)
        return Reconstruction(
            grad_decoded, torch.autograd.grad(out, values, grad_decoded)[0], errors.square().sum(2).view(-1)
        )
    grad_decoded = empty(target, len(target), n * nested, numba_loops.BLOCK) if grad_decoded is None else grad_decoded
    grad_values = torch.zeros(len(codes.latents), dtype=target.dtype)
    squares = torch.zeros(n * nested, dtype=torch.float64)
    entries = (codes.values.numpy(), codes.latents.numpy(), codes.offsets.numpy())
    into, scale = (grad_values.numpy(), squares.numpy()), grad_decoded[:0].numpy().dtype.type(factor)

    def work(first: int, last: int) -> None:
        for rows, wanted, out in zip(decoder.numpy(), target.numpy(), grad_decoded.numpy(), strict=True):
            numba_loops.reconstruct(*entries, rows, wanted, out, *into, scale, nested, first, last)

    over_rows(work, n)
    return Reconstruction(grad_decoded, grad_values, squares)


def by_latent(codes: Codes, d_sae: int) -> ByLatent:
    """Sort the entries of codes by latent (rows ascending within each)."""
    if is_compiled(codes.values):
        offsets = torch.zeros(d_sae + 1, dtype=torch.long)
        order, rows = (torch.empty(len(codes.latents), dtype=torch.int32) for _ in range(2))
        inputs, outputs = (codes.latents, codes.offsets), (offsets, order, rows)
        numba_loops.sort_by_latent(*(tensor.numpy() for tensor in inputs + outputs))
        return ByLatent(order, rows, offsets, len(codes.offsets) - 1)
    order = torch.sort(codes.latents.int(), stable=True).indices
    counts = torch.bincount(codes.latents, minlength=d_sae)
    offsets = torch.zeros(d_sae + 1, dtype=torch.long, device=counts.device)
    torch.cumsum(counts, 0, out=offsets[1:])
    n = len(codes.offsets) - 1
    rows = torch.repeat_interleave(torch.arange(n, device=order.device), codes.offsets.diff(), output_size=len(order))
    return ByLatent(order, rows[order], offsets, n)


def sum_by_latent(
    entries: ByLatent, weights: Float[Tensor, " nnz"], rows: Table, out: Float[Tensor, "d_sae d_in"]
) -> Float[Tensor, "d_sae d_in"]:
    """Σ over the entries e of latent i of weights[e] · rows[row of e], for every i; `weights` in the order of Codes.

    Where `rows` has fewer rows than the code, several rows of the code belong to each, one after another. On the CPU
    the result is written to `out`.
    """
    groups = entries.n_rows // rows.shape[-2]
    indices = entries.rows if groups == 1 else entries.rows // groups
    if rows.dim() == 2:
        return _bags(weights[entries.order], indices, entries.offsets, rows)
    ordered = empty(weights, len(weights))
    arrays = (weights.numpy(), entries.order.numpy(), ordered.numpy())
    over_rows(lambda first, last: numba_loops.take(*arrays, first, last), len(weights))
    return _sums(ordered, indices, entries.offsets, rows, out)


def totals_by_latent(entries: ByLatent, weights: Float[Tensor, " nnz"]) -> Float[Tensor, " d_sae"]:
    """Σ_b weights_bi for every latent i; `weights` are in the order of Codes."""
    out = torch.zeros(len(entries.offsets) - 1, dtype=weights.dtype, device=weights.device)
    if is_compiled(weights):
        arrays = (weights.numpy(), entries.order.numpy(), entries.offsets.numpy(), out.numpy())
        over_rows(lambda first, last: numba_loops.sum_by_offsets(*arrays, first, last), len(out))
        return out
    latents = torch.repeat_interleave(torch.arange(len(out), device=out.device), entries.offsets.diff())
    return out.index_add_(0, latents, weights[entries.order])


def empty(like: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised tensor. On the CPU numpy makes it: it asks the system for huge pages where there are some."""
    dtype = dtype or like.dtype
    if like.device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=like.device)
    return torch.from_numpy(np.empty(shape, f"i{dtype.itemsize}")).view(dtype)


def scratch(
    buffers: dict[str, Tensor], name: str, like: Tensor, *shape: int, dtype: torch.dtype | None = None
) -> Tensor:
    """The buffer `name` of this shape, made at first use: tens of MB a step are not allocated again."""
    dtype = dtype or like.dtype
    if name not in buffers or buffers[name].shape != shape or buffers[name].dtype != dtype:
        buffers[name] = empty(like, *shape, dtype=dtype)
    return buffers[name]
