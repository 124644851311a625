"""Failures of a run while it trains, each in one sentence with the parameter that is likely to blame."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from scripts.monosem.sae.architectures import ARCHITECTURES, sparsity_knob
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.training.initialise import ACTIVATIONS_NOT_FINITE

SILENT_L0 = 0.01  # mean active latents below which a run has nothing left to learn from
WORSE = 10.0  # squared error over the data's variance that is divergence, if it is also twice that of the start
HOPELESS = 1000.0  # the same, wherever the run started


def all_finite(tensors: Mapping[str, Tensor]) -> bool:
    """True if no tensor holds NaN or infinity."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def _sparsity_knob(config: SaeConfig) -> str:
    knob = sparsity_knob(config.architecture)
    if knob == "k":
        return f"lower learning_rate ({config.learning_rate})"
    return f"lower {knob} ({getattr(config, knob)})"


def _revival_knob(config: SaeConfig) -> str:
    keys = ARCHITECTURES[config.architecture].keys
    if "aux_coefficient" in keys:
        return f"raise aux_coefficient ({config.aux_coefficient}) or lower learning_rate ({config.learning_rate})"
    if "resample" in keys:
        return f"set resample, or {_sparsity_knob(config)}"
    return f"{_sparsity_knob(config)} or learning_rate ({config.learning_rate})"


def diagnose(
    sums: Mapping[str, float | int], step: int, first: Mapping[str, float | int] | None, config: SaeConfig
) -> str | None:
    """One sentence about what is wrong in the steps up to `step` that are summed up in `sums`, or None.

    Args: first: the first row of the curve. The loss may jump for a while after a resampling.
    """
    if not math.isfinite(sums["power"]):
        return ACTIVATIONS_NOT_FINITE
    if not math.isfinite(sums["loss"]):
        return f"the loss is not finite; lower learning_rate ({config.learning_rate})"
    l0 = sums["active"] / sums["vectors"]
    if l0 < SILENT_L0:
        return f"almost no latent fires (L0 {l0:.2g}); {_sparsity_knob(config)}"
    error = sums["squared_error"] / sums["variance"]
    start = math.inf if first is None else 1 - first["explained_variance"]
    jumpy = any(at < step <= at + 2 * config.rewarm_steps for at in config.resample_steps)
    if error > HOPELESS or (error > WORSE and error > 2 * start and not jumpy):
        return (
            f"training diverges: the squared error is {error:.3g} times the variance; lower learning_rate "
            f"({config.learning_rate})"
        )
    return None


def all_dead(dead_share: float, config: SaeConfig) -> str | None:
    """A sentence if every latent is dead, else None."""
    if dead_share < 1:
        return None
    return f"all {config.d_sae:,} latents are dead; {_revival_knob(config)}"


def many_dead(dead_share: float, config: SaeConfig) -> str | None:
    """A sentence if most latents are dead at the end of a run, else None."""
    if dead_share <= 0.5:
        return None
    return f"{dead_share:.0%} of the latents are dead at the end; {_revival_knob(config)}"
