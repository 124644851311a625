"""Products over the active entries of a batch, sparse where few latents are active and dense where many are.

A loss writes its equations once, on `values`: one number per active entry. In `Sparse` they are a flat tensor [nnz], in
`Dense` a matrix [n, d_sae] that is zero elsewhere; both support the same products.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels

# share of active entries above which dense products are faster (estimated from the CPU times of the single products)
DENSE_ABOVE = 1 / 16


@dataclass(frozen=True)
class Sparse:
    """Few entries are active; their values are flat."""

    codes: kernels.Codes  # its values are those of the dense matrix that the support was made from
    entries: kernels.ByLatent  # the same, sorted by latent

    @property
    def own(self) -> Float[Tensor, " nnz"]:
        """Active entries of the matrix that the support was made from."""
        return self.codes.values

    def column(self, per_latent: Float[Tensor, " d_sae"]) -> Float[Tensor, " nnz"]:
        """A number per latent, at its active entries."""
        return per_latent[self.codes.latents]

    def decode(
        self, values: Float[Tensor, " nnz"], decoder: Float[Tensor, "d_sae d_in"]
    ) -> tuple[Float[Tensor, "n d_in"], Callable[[Tensor], Float[Tensor, " nnz"]]]:
        """Σ_i values_bi decoder_i, and the function from g [n, d_in] to g_b · decoder_i at the active entries."""
        codes = kernels.Codes(values, self.codes.latents, self.codes.offsets)
        return kernels.decode_with_pullback(codes, decoder)

    def outer(self, values: Float[Tensor, " nnz"], rows: Float[Tensor, "n d_in"]) -> Float[Tensor, "d_sae d_in"]:
        """Σ_b values_bi rows_b for every latent i."""
        return kernels.sum_by_latent(self.entries, values, rows)

    def total(self, values: Float[Tensor, " nnz"]) -> Float[Tensor, " d_sae"]:
        """Σ_b values_bi for every latent i."""
        zeros = torch.zeros(len(self.entries.offsets) - 1, dtype=values.dtype, device=values.device)
        return zeros.index_add_(0, self.codes.latents, values)


@dataclass(frozen=True)
class Dense:
    """Many entries are active; values are matrices with zeros elsewhere."""

    own: Float[Tensor, "n d_sae"]  # active entries of the matrix that the support was made from
    mask: Float[Tensor, "n d_sae"]  # 1 where active, else 0

    def column(self, per_latent: Float[Tensor, " d_sae"]) -> Float[Tensor, "n d_sae"]:
        """A number per latent, at its active entries."""
        return self.mask * per_latent

    def decode(
        self, values: Float[Tensor, "n d_sae"], decoder: Float[Tensor, "d_sae d_in"]
    ) -> tuple[Float[Tensor, "n d_in"], Callable[[Tensor], Float[Tensor, "n d_sae"]]]:
        """Σ_i values_bi decoder_i, and the function from g [n, d_in] to g_b · decoder_i at the active entries."""
        return torch.mm(values, decoder), lambda g: torch.mm(g, decoder.t()).mul_(self.mask)

    def outer(self, values: Float[Tensor, "n d_sae"], rows: Float[Tensor, "n d_in"]) -> Float[Tensor, "d_sae d_in"]:
        """Σ_b values_bi rows_b for every latent i."""
        return torch.mm(values.t(), rows)

    def total(self, values: Float[Tensor, "n d_sae"]) -> Float[Tensor, " d_sae"]:
        """Σ_b values_bi for every latent i."""
        return values.sum(0)


Support = Sparse | Dense


def sparse(codes: kernels.Codes, d_sae: int) -> Sparse:
    """The support of codes."""
    return Sparse(codes, kernels.by_latent(codes, d_sae))


def support_of(matrix: Float[Tensor, "n d_sae"], active: Bool[Tensor, "n d_sae"]) -> Support:
    """The entries of `matrix` where `active` holds."""
    if torch.count_nonzero(active) > DENSE_ABOVE * active.numel():
        mask = active.to(matrix.dtype)
        return Dense(matrix * mask, mask)
    return sparse(kernels.positive_codes(matrix, active), matrix.shape[1])


def fired(values: Tensor, support: Support) -> Bool[Tensor, " d_sae"]:
    """Latents with a value above 0 anywhere in the batch."""
    return support.total((values > 0).to(values.dtype)) > 0


def ring(codes: kernels.Codes, low: int, high: int) -> kernels.Codes:
    """The entries of latents low … high − 1, counted from low."""
    chosen = (codes.latents >= low) & (codes.latents < high)
    before = torch.zeros(len(chosen) + 1, dtype=torch.long, device=chosen.device)
    torch.cumsum(chosen, 0, out=before[1:])
    return kernels.Codes(codes.values[chosen], codes.latents[chosen] - low, before[codes.offsets])
