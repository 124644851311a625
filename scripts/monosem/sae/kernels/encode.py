"""The one dense product of a step, in the precision that the configuration names, and the codes that it leads to.

On the CPU about a thousand rows are encoded at a time and their active latents taken before the next: TopK never holds
all pre-activations of a batch. bfloat16 means: x − b_dec and the encoder are rounded to 8 bits of mantissa before the
product, sums are float32, b_enc is exact, and the pre-activations are rounded again. Weights, gradients through the
codes and Adam stay float32.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae.kernels import numba_loops, select, sparse
from scripts.monosem.sae.kernels.select import ROWS
from scripts.monosem.sae.kernels.threads import over_rows
from scripts.monosem.sae.parameters import Parameters

GUESS = 0.9  # of the last batch's smallest kept value


@dataclass(frozen=True)
class Centred:
    """x − b_dec in two layouts."""

    rows: Float[Tensor, "n d_in"]
    """As a matrix."""
    table: sparse.Table
    """As the kernels read it."""


def product(a: Float[Tensor, "n m"], b: Float[Tensor, "m p"], precision: str) -> Float[Tensor, "n p"]:
    """a @ b in float32, or of and to bfloat16."""
    if precision == "bfloat16":
        return torch.mm(a.bfloat16(), b.bfloat16())
    return torch.mm(a, b)


def encode_topk(
    weights: Parameters, x: Float[Tensor, "n d_in"], k: int, precision: str, buffers: dict[str, Tensor]
) -> tuple[sparse.Codes, Centred]:
    """relu of the k largest pre-activations of every row."""
    n = len(x)
    if not sparse.is_compiled(x):
        centred = x - weights.b_dec
        return select.topk_codes(_dense(weights, centred, precision, buffers), k), Centred(centred, centred)
    values, columns = torch.empty(n, k, dtype=x.dtype), torch.empty(n, k, dtype=torch.int32)
    encode, centred = _encoder(weights, x, precision, buffers)

    def work(first: int, last: int) -> None:
        shape = (min(ROWS, n), len(weights.b_enc))
        pre = sparse.scratch(buffers, f"pre from row {first}", x, *shape, dtype=_result(x, precision))
        for start in range(first, last, ROWS):
            stop = min(start + ROWS, last)
            encode(start, stop, pre[: stop - start])
            select.topk_into(pre[: stop - start], columns, values, start)

    over_rows(work, n, ROWS)
    return select.codes_of(values, columns), centred


def encode_above(
    weights: Parameters,
    x: Float[Tensor, "n d_in"],
    bound: float | Float[Tensor, " d_sae"],
    share: float,
    precision: str,
    buffers: dict[str, Tensor],
) -> tuple[sparse.Codes | None, Float[Tensor, "n d_sae"], Centred]:
    """The pre-activations above `bound`, None if they are more than about this share of all (select.codes_above);
    and all of them, in the precision of the product, in memory that the next step uses again.
    """
    if not sparse.is_compiled(x):
        centred = x - weights.b_dec
        pre = _dense(weights, centred, precision, buffers)
        return select.codes_above(pre, bound, share), pre, Centred(centred, centred)
    pre = sparse.scratch(buffers, "pre", x, len(x), len(weights.b_enc), dtype=_result(x, precision))
    encode, centred = _encoder(weights, x, precision, buffers)
    codes = select.codes_above(pre, bound, share, lambda first, last: encode(first, last, pre[first:last]))
    return codes, pre, centred


def encode_batch_topk(
    weights: Parameters, x: Float[Tensor, "n d_in"], k: int, precision: str, buffers: dict[str, Tensor]
) -> tuple[sparse.Codes, Float[Tensor, ""], Centred]:
    """The n·k largest pre-activations of the batch, positive ones only, and the smallest of them.

    The smallest of the last batch, in `buffers`, says what is not even a candidate; it makes this fast and changes
    nothing.
    """
    count = k * len(x)
    guess = GUESS * float(buffers["smallest kept"]) if "smallest kept" in buffers else math.inf
    codes, pre, centred = encode_above(weights, x, guess, 1.0, precision, buffers)
    if len(codes.values) < count:
        codes = select.batch_candidates(pre, count)
    codes, buffers["smallest kept"] = select.largest_of_batch(codes, count)
    return codes, buffers["smallest kept"], centred


def _result(x: Tensor, precision: str) -> torch.dtype:
    return torch.bfloat16 if precision == "bfloat16" else x.dtype


def _dense(weights: Parameters, centred: Tensor, precision: str, buffers: dict[str, Tensor]) -> Tensor:
    if precision == "bfloat16":
        return torch.addmm(weights.b_enc.bfloat16(), centred.bfloat16(), weights.encoder.bfloat16().t())
    pre = sparse.scratch(buffers, "pre", centred, len(centred), len(weights.b_enc))
    return torch.addmm(weights.b_enc, centred, weights.encoder.t(), out=pre)


def _encoder(weights: Parameters, x: Tensor, precision: str, buffers: dict[str, Tensor]):
    """encode(first, last, out) writes pre-activations of some rows (CPU); and x − b_dec, filled in on the way.

    It is called for the same ranges of at most ROWS rows whatever the number of threads: the bits of a product
    may depend on how many rows it has.
    """
    (n, d_in), d_sae = x.shape, len(weights.b_enc)
    n_blocks = -(-d_in // numba_loops.BLOCK)
    centred = Centred(
        sparse.scratch(buffers, "centred", x, n, d_in),
        sparse.scratch(buffers, "centred blocks", x, n_blocks, n, numba_loops.BLOCK),
    )
    arrays = (x.numpy(), weights.b_dec.numpy(), centred.rows.numpy(), centred.table.numpy())
    if precision == "float32":

        def encode(first: int, last: int, out: Tensor) -> None:
            numba_loops.centre_rows(*arrays, first, last)
            torch.addmm(weights.b_enc, centred.rows[first:last], weights.encoder.t(), out=out)

        return encode, centred

    wide = d_in + numba_loops.BIAS_COLUMNS
    rounded = sparse.scratch(buffers, "rounded encoder", x, d_sae, wide, dtype=torch.bfloat16)
    bits = rounded.view(torch.uint16).numpy()
    encoder = (weights.encoder.numpy(), weights.b_enc.numpy(), bits)
    over_rows(lambda first, last: numba_loops.round_encoder(*encoder, first, last), d_sae)

    def encode(first: int, last: int, out: Tensor) -> None:
        numba_loops.centre_rows(*arrays, first, last)
        rows = torch.empty(last - first, wide, dtype=torch.bfloat16)
        numba_loops.round_rows(arrays[2], rows.view(torch.uint16).numpy(), first, last)
        torch.mm(rows, rounded.t(), out=out)

    return encode, centred
