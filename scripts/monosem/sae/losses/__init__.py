"""One loss in one file, each with its gradients written by hand and the equation it implements."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

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
