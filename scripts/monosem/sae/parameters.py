"""The trained tensors of a sparse autoencoder in the layout that training wants, and the unit-norm constraint.

Both matrices hold one row per latent, so that a batch touches only the rows of its active latents. Files have the
SAELens layout instead (`W_enc [d_in, d_sae]`); see saelens.py.
"""

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Parameters:
    """Weights, or their gradients, or a moment of Adam: one tensor each. None: the architecture has no such tensor."""

    encoder: Float[Tensor, "d_sae d_in"]
    """W_enc transposed."""
    b_enc: Float[Tensor, " d_sae"]
    """Bias of the latents (gated: of the gate)."""
    decoder: Float[Tensor, "d_sae d_in"]
    """W_dec; unit rows (all but relu_decoder_norm): the dictionary vectors."""
    b_dec: Float[Tensor, " d_in"]
    """Subtracted before encoding, added after decoding (tied)."""
    threshold: Float[Tensor, " d_sae"] | None = None
    """jumprelu: θ, at or below which a latent is silent."""
    r_mag: Float[Tensor, " d_sae"] | None = None
    """gated: logarithm of magnitude weights over gate weights."""
    b_mag: Float[Tensor, " d_sae"] | None = None
    """gated: bias of the magnitudes."""

    def tensors(self) -> dict[str, Tensor]:
        """Name -> tensor, of those that there are."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: tensor for name, tensor in values.items() if tensor is not None}

    def zeros(self) -> "Parameters":
        """Zeros of the same shapes."""
        return Parameters(**{name: torch.zeros_like(tensor) for name, tensor in self.tensors().items()})

    def clone(self) -> "Parameters":
        """A copy that shares no memory."""
        return Parameters(**{name: tensor.clone() for name, tensor in self.tensors().items()})


def remove_parallel_(gradient: Float[Tensor, "n d"], decoder: Float[Tensor, "n d"]) -> None:
    """Remove from each row of `gradient` its component along the same row of `decoder` (unit rows), in place.

    Bricken et al. 2023: done before the Adam step, so that Adam's
    moments hold nothing that the renormalisation would undo.
    """
    along = torch.linalg.vecdot(gradient, decoder)
    gradient.addcmul_(decoder, along.unsqueeze(1), value=-1)


def unit_rows_(matrix: Float[Tensor, "n d"]) -> None:
    """Scale each row to length 1, in place."""
    matrix.div_(torch.linalg.vector_norm(matrix, dim=1, keepdim=True).clamp_min_(1e-12))
