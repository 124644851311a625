"""One loss in one file, each with its gradients written by hand and the equation it implements."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.encoding import Centred
from scripts.monosem.sae.parameters import Parameters


@dataclass(frozen=True)
class Outcome:
    """What one batch says: gradients for the optimiser, scalars for the curve (0-dim tensors, sums over the batch)."""

    gradients: Parameters  # of the training loss, which is a mean over the batch
    fired: Bool[Tensor, " d_sae"]  # which latents were active anywhere in the batch
    loss: Float[Tensor, ""]  # batch size × training loss
    squared_error: Float[Tensor, ""]  # Σ_b Σ_d (x − x̂)²
    active: Float[Tensor, ""]  # Σ_b number of f > 0
    smallest_kept: Float[Tensor, ""] | None = None  # batchtopk: the smallest f of the batch


def encode(
    weights: Parameters, x: Float[Tensor, "b d_in"], buffers: dict[str, Tensor]
) -> tuple[Float[Tensor, "b d_in"], Float[Tensor, "b d_sae"]]:
    """x − b_dec, and (x − b_dec) W_enc + b_enc: the one dense product of a step."""
    centred = x - weights.b_dec
    pre = kernels.scratch(buffers, "pre", x, len(x), len(weights.b_enc))
    torch.addmm(weights.b_enc, centred, weights.encoder.t(), out=pre)
    return centred, pre


def sparse_gradients(
    weights: Parameters,
    codes: kernels.Codes,
    entries: kernels.ByLatent,
    value_slope: Float[Tensor, " nnz"],
    slope: Float[Tensor, "b d_in"],
    centred: Float[Tensor, "b d_in"],
) -> Parameters:
    """Gradients of any loss through a sparse code, from ∂L/∂pre of its active entries and ∂L/∂x̂."""
    b_enc = kernels.totals_by_latent(entries, value_slope)
    return Parameters(
        encoder=kernels.sum_by_latent(entries, value_slope, centred),
        b_enc=b_enc,
        decoder=kernels.sum_by_latent(entries, codes.values, slope),
        b_dec=slope.sum(0) - b_enc @ weights.encoder,
    )


@dataclass(frozen=True)
class Reconstructed:
    """Gradients of factor/2 · Σ_b ‖x − x̂‖² + penalty · Σ_b Σ_i f_i, and what the curve wants."""

    gradients: Parameters
    fired: Bool[Tensor, " d_sae"]  # which latents were above 0 anywhere
    squared_error: Float[Tensor, ""]  # Σ_b ‖x − x̂‖²
    slope: Tensor  # factor · (x̂ − x), as matrix or, on the CPU, in column blocks

    def error(self, factor: float) -> Float[Tensor, "b d_in"]:
        """x̂ − x of every row."""
        slope = self.slope if self.slope.dim() == 2 else kernels.whole(self.slope, self.gradients.b_dec.shape[0])
        return slope / factor


def reconstruction(
    weights: Parameters,
    codes: kernels.Codes,
    centred: Centred,
    factor: float,
    buffers: dict[str, Tensor],
    penalty: float = 0.0,
) -> Reconstructed:
    """Decode, compare with x and differentiate; entries of the code that are 0 get no gradient.

    On the CPU the gradients of the matrices lie in `buffers`, which the next step overwrites: memory that is given back
    and asked for again has to be cleared by the system each time (measured: a sixth of a step).
    """
    d_sae, d_in = weights.decoder.shape
    entries = kernels.by_latent(codes, d_sae)
    if centred.blocks is None:
        out, pullback = kernels.decode_with_pullback(codes, weights.decoder)
        error = out - centred.rows
        squared_error = torch.linalg.vector_norm(error).square()
        slope = error * factor
        value_slope = (pullback(slope) + penalty) * (codes.values > 0)
        gradients = sparse_gradients(weights, codes, entries, value_slope, slope, centred.rows)
    else:
        shape = kernels.blocks_shape(d_sae, d_in)
        table = kernels.blocks(weights.decoder, kernels.scratch(buffers, "decoder blocks", weights.decoder, *shape))
        slope = kernels.scratch(buffers, "slope", centred.blocks, *centred.blocks.shape)
        pull, squares = kernels.reconstruct(codes, table, centred.blocks, factor, slope)
        squared_error = squares.sum()
        value_slope = (pull + penalty) * (codes.values > 0)
        b_enc = kernels.totals_by_latent(entries, value_slope)
        into = {
            name: kernels.scratch(buffers, f"gradient of {name}", weights.decoder, d_sae, d_in)
            for name in ("encoder", "decoder")
        }
        gradients = Parameters(
            encoder=kernels.sum_blocks_by_latent(entries, value_slope, centred.blocks, into["encoder"]),
            b_enc=b_enc,
            decoder=kernels.sum_blocks_by_latent(entries, codes.values, slope, into["decoder"]),
            b_dec=slope.sum(1).view(-1)[:d_in] - b_enc @ weights.encoder,
        )
    fired = kernels.totals_by_latent(entries, codes.values) > 0
    return Reconstructed(gradients, fired, squared_error, slope)
