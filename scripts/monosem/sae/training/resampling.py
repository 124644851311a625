"""Resampling of dead latents: Bricken et al. 2023, every step of the published algorithm.

1. Dead: did not fire in the window before (the trainer counts).
2. The loss of many random inputs (the trainer computes).
3. An input is chosen with probability proportional to its loss squared.
4. It becomes the dictionary vector, at unit length.
5. The encoder vector points the same way with 0.2 × the mean norm of the live encoder vectors; bias 0.
6. Adam's moments of every changed weight and bias are 0.

Two dead latents never get the same input (the paper leaves this open): twins would share one feature.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scripts.monosem.sae.parameters import Parameters

ENCODER_NORM_SHARE = 0.2


def choose_inputs(losses: Float[Tensor, " n"], count: int, generator: torch.Generator) -> Int[Tensor, " m"]:
    """Draw `count` different inputs (fewer if fewer have a loss) with probability ∝ loss²."""
    weights = losses.double().square()
    count = min(count, int((weights > 0).sum()))
    if count == 0:
        return torch.empty(0, dtype=torch.long)
    return torch.multinomial(weights / weights.max(), count, replacement=False, generator=generator)


def resample(
    weights: Parameters,
    moments: tuple[Parameters, ...],
    dead: Bool[Tensor, " d_sae"],
    inputs: Float[Tensor, "n d_in"],
    losses: Float[Tensor, " n"],
    generator: torch.Generator,
) -> tuple[Parameters, tuple[Parameters, ...], Int[Tensor, " changed"]]:
    """New weights and moments in which dead latents start again, and which latents changed; the arguments stay.

    Args: inputs and their losses in the units of training, on the CPU as the generator; moments: Adam's two.
    With nothing dead, or nothing alive to copy a norm from, everything is returned unchanged.
    """
    dead_latents = dead.nonzero().squeeze(1)
    nothing = torch.empty(0, dtype=torch.long)
    if len(dead_latents) == 0 or len(dead_latents) == len(dead):
        return weights, moments, nothing
    chosen = choose_inputs(losses, len(dead_latents), generator)
    changed = dead_latents[: len(chosen)]
    direction = inputs[chosen].to(weights.decoder)
    direction = direction / torch.linalg.vector_norm(direction, dim=1, keepdim=True).clamp_min(1e-12)
    norm = ENCODER_NORM_SHARE * torch.linalg.vector_norm(weights.encoder[~dead], dim=1).mean()

    weights, moments = weights.clone(), tuple(moment.clone() for moment in moments)
    weights.decoder[changed] = direction
    weights.encoder[changed] = direction * norm
    weights.b_enc[changed] = 0
    for moment in moments:
        moment.decoder[changed] = 0
        moment.encoder[changed] = 0
        moment.b_enc[changed] = 0
    return weights, moments, changed
