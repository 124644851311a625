"""Parts that the losses of several architectures share, each with its gradients written by hand."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from scripts.monosem.sae.parameters import Parameters


@dataclass(frozen=True)
class TrainingPoint:
    """Where training is: all that the loss of the next step may depend on, besides the batch and the configuration."""

    weights: Parameters
    """Before the step."""
    step: int
    """Steps done."""
    dead: Bool[Tensor, " d_sae"]
    """True for latents that have been silent for longer than `dead_after_vectors`."""
    variance: float
    """Mean ‖x − x̄‖² of the scaled data."""


@dataclass(frozen=True)
class Outcome:
    """Result of one step: gradients for the optimiser, and sums over the batch for the log (0-dim tensors)."""

    gradients: Parameters
    """Of the training loss, which is a mean over the batch."""
    fired: Bool[Tensor, " d_sae"]
    """True for latents that were active anywhere in the batch."""
    loss: Float[Tensor, ""]
    """Batch size × training loss."""
    squared_error: Float[Tensor, ""]
    """Σ_b Σ_d (x − x̂)²."""
    active: Float[Tensor, ""] | Int[Tensor, ""]
    """Σ_b number of f > 0."""
    smallest_kept: Float[Tensor, ""] | None = None
    """batchtopk: the smallest f of the batch."""


def warmed_up(coefficient: float, share: float, step: int, steps: int) -> float:
    """Weight of a penalty in step `step` (from 0): it rises linearly over a share of the steps."""
    warm = share * steps
    return coefficient * (min(1.0, (step + 1) / warm) if warm else 1.0)
