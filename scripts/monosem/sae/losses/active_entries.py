"""Products over the active entries of a batch, sparse where few latents are active and dense where many are.

A loss writes its equations once, on `values`: one number per active entry. In `Sparse` they are a flat tensor [nnz], in
`Dense` a matrix [n, d_sae] that is zero elsewhere; both support the same products.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scripts.monosem.sae.kernels import sparse as sparse_kernels
from scripts.monosem.sae.kernels.encode import Centred, encode_above, product
from scripts.monosem.sae.kernels.sparse import Reconstruction
from scripts.monosem.sae.parameters import Parameters

# share of active entries above which dense products are faster (measured), by what computes them
DENSE_ABOVE = {"float32": 1 / 8, "bfloat16": 1 / 6, "bfloat16 with matrix units": 1 / 24}


def dense_above(precision: str, device: str) -> float:
    """Share of active entries above which products are dense. Matrix units are those of a card, or AMX."""
    if precision == "bfloat16" and (device != "cpu" or torch.cpu.get_capabilities().get("amx_bf16", False)):
        return DENSE_ABOVE["bfloat16 with matrix units"]
    return DENSE_ABOVE[precision]


@dataclass(frozen=True)
class Sparse:
    """Few entries are active; their values are flat."""

    codes: sparse_kernels.Codes
    """Active pre-activations, or what the selection made of them."""
    entries: sparse_kernels.ByLatent
    """The same, sorted by latent."""
    weights: Parameters
    centred: Centred
    buffers: dict[str, Tensor]
    """Memory of a step, used again in the next."""
    nested: int = 1
    """Rows of the code per vector; see sparse.Reconstruction."""

    @property
    def pre_acts(self) -> Float[Tensor, " nnz"]:
        """Active pre-activations."""
        return self.codes.values

    @property
    def active(self) -> Float[Tensor, ""] | Int[Tensor, ""]:
        """Number of active entries."""
        return torch.tensor(len(self.codes.latents))

    def per_latent(self, value: float | Float[Tensor, " d_sae"]) -> float | Float[Tensor, " nnz"]:
        """A number, or one per latent, at its active entries."""
        return value[self.codes.latents] if isinstance(value, Tensor) else value

    def reconstruct(self, values: Float[Tensor, " nnz"], factor: float) -> Reconstruction:
        """Σ_i values_bi decoder_i against x − b_dec."""
        decoder, target = self.weights.decoder, self.centred.table
        memory = {}
        if target.dim() == 3:
            shapes = {"decoder": sparse_kernels.table_shape(*decoder.shape), "grad_decoded": list(target.shape)}
            shapes["grad_decoded"][1] *= self.nested
            memory = {
                name: sparse_kernels.scratch(self.buffers, name, decoder, *shape) for name, shape in shapes.items()
            }
        codes = sparse_kernels.Codes(values, self.codes.latents, self.codes.offsets)
        table = sparse_kernels.table_of(decoder, memory.get("decoder"))
        return sparse_kernels.reconstruct(codes, table, target, factor, self.nested, memory.get("grad_decoded"))

    def outer(
        self, name: str, values: Float[Tensor, " nnz"], rows: sparse_kernels.Table
    ) -> Float[Tensor, "d_sae d_in"]:
        """Σ_b values_bi rows_b for every latent i: the gradient of the matrix `name`.

        On the CPU it is in `buffers`: memory that is given back and asked for again has to be cleared by the system
        each time (measured: a sixth of a step).
        """
        into = sparse_kernels.scratch(
            self.buffers, f"gradient of {name}", self.weights.decoder, *self.weights.decoder.shape
        )
        return sparse_kernels.sum_by_latent(self.entries, values, rows, into)

    def total(self, values: Float[Tensor, " nnz"]) -> Float[Tensor, " d_sae"]:
        """Σ_b values_bi for every latent i."""
        return sparse_kernels.totals_by_latent(self.entries, values)

    def over_vectors(self, grad_decoded: sparse_kernels.Table) -> Float[Tensor, " d_in"]:
        """Sum over the vectors of the gradient of all that is decoded."""
        return sparse_kernels.column_sums(grad_decoded[..., :: self.nested, :], self.weights.decoder.shape[1])

    def error(self, grad_decoded: sparse_kernels.Table, factor: float) -> Float[Tensor, "n d_in"]:
        """x̂ − x, from the gradient that `reconstruct` returned."""
        last = grad_decoded[..., self.nested - 1 :: self.nested, :].contiguous()
        return sparse_kernels.matrix_of(last, self.weights.decoder.shape[1]) / factor

    @property
    def inputs(self) -> sparse_kernels.Table:
        """x − b_dec, as `outer` wants it."""
        return self.centred.table


@dataclass(frozen=True)
class Dense:
    """Many entries are active; values are matrices with zeros elsewhere, in the dtype of the product where a loss needs
    no other: passes over them take as long as the products.
    """

    pre_acts: Float[Tensor, "n d_sae"]
    """Active pre-activations."""
    mask: Float[Tensor, "n d_sae"]
    """1 where active, else 0."""
    weights: Parameters
    centred: Centred
    precision: str
    """Of the products."""

    @property
    def active(self) -> Float[Tensor, ""] | Int[Tensor, ""]:
        """Number of active entries."""
        return self.total(self.mask).sum(dtype=torch.float64)

    def per_latent(self, value: float | Float[Tensor, " d_sae"]) -> Float[Tensor, "n d_sae"]:
        """A number, or one per latent, at its active entries."""
        return self.mask * value

    def reconstruct(self, values: Float[Tensor, "n d_sae"], factor: float) -> Reconstruction:
        """Σ_i values_bi decoder_i against x − b_dec."""
        error = product(values, self.weights.decoder, self.precision) - self.centred.rows
        grad_decoded = error * factor
        grad_values = product(grad_decoded, self.weights.decoder.t(), self.precision).mul_(self.mask)
        return Reconstruction(grad_decoded, grad_values, error.square().sum(1))

    def outer(
        self, name: str, values: Float[Tensor, "n d_sae"], rows: Float[Tensor, "n d_in"]
    ) -> Float[Tensor, "d_sae d_in"]:
        """Σ_b values_bi rows_b for every latent i: the gradient of the matrix `name`."""
        return product(values.t(), rows, self.precision).to(rows.dtype)

    def total(self, values: Float[Tensor, "n d_sae"]) -> Float[Tensor, " d_sae"]:
        """Σ_b values_bi for every latent i."""
        return sparse_kernels.sum_columns(values)

    def over_vectors(self, grad_decoded: Float[Tensor, "n d_in"]) -> Float[Tensor, " d_in"]:
        """Sum over the vectors of the gradient of all that is decoded."""
        return grad_decoded.sum(0)

    @property
    def inputs(self) -> Float[Tensor, "n d_in"]:
        """x − b_dec, as `outer` wants it."""
        return self.centred.rows


Support = Sparse | Dense


def sparse(
    weights: Parameters, codes: sparse_kernels.Codes, centred: Centred, buffers: dict[str, Tensor], nested: int = 1
) -> Sparse:
    """The support of codes."""
    return Sparse(codes, sparse_kernels.by_latent(codes, len(weights.b_enc)), weights, centred, buffers, nested)


def support_above(
    weights: Parameters,
    x: Float[Tensor, "n d_in"],
    bound: float | Float[Tensor, " d_sae"],
    precision: str,
    buffers: dict[str, Tensor],
) -> Support:
    """The pre-activations above `bound`, a number or one per latent."""
    share = dense_above(precision, x.device.type)
    codes, pre, centred = encode_above(weights, x, bound, share, precision, buffers)
    if codes is not None:
        return sparse(weights, codes, centred, buffers)
    mask = (pre - bound).sign_().relu_().to(pre.dtype)  # a third of the time of making and converting booleans
    return Dense(pre * mask, mask, weights, centred, precision)


Values = Float[Tensor, " nnz"] | Float[Tensor, "batch d_sae"]
"""One number per active entry: flat in `Sparse`, a matrix in `Dense`."""


def gradients(support: Support, grad_pre_acts: Values, f: Values, grad_decoded: sparse_kernels.Table) -> Parameters:
    """Of any loss through a code: from ∂L/∂pre of its active entries, their values f, and ∂L/∂x̂."""
    b_enc = support.total(grad_pre_acts)
    return Parameters(
        encoder=support.outer("encoder", grad_pre_acts, support.inputs),
        b_enc=b_enc,
        decoder=support.outer("decoder", f, grad_decoded),
        b_dec=support.over_vectors(grad_decoded) - b_enc @ support.weights.encoder,
    )


def fired(values: Values, support: Support) -> Bool[Tensor, " d_sae"]:
    """Latents with a value above 0 anywhere in the batch; no value is below."""
    return support.total(values) > 0
