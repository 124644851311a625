"""A polysemantic neuron without superposition: cross-entropy alone prefers it (Bricken et al. 2023, 'Problem setup').

One binary neuron tells which of n equiprobable exclusive features is on. Cross-entropy makes it fire for half of them,
although there is a single neuron and nothing to superpose; squared error is indifferent.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, training
from scripts.monosem.toy.settings import PolysemanticNeuronConfig
from scripts.monosem.toy.theory import absolute_value

CLOSE = 0.01
"""Largest distance of a trained loss from the exact optimum, in units of that loss."""
BAR_GAIN = 0.05
"""Least that a polysemantic neuron gains, in nats; the squared error must gain no more."""


class Parameters(NamedTuple):
    """A stack of models."""

    fires: Float[Tensor, "instance n"]
    """The neuron fires on feature i with probability σ(fires_i)."""
    on: Float[Tensor, "instance n"]
    """Output when the neuron fires: logits, or the prediction itself under squared error."""
    off: Float[Tensor, "instance n"]
    """The same when it does not."""


def expected_loss(parameters: Parameters, kind: str) -> Float[Tensor, " instance"]:
    """Exact expectation over features and firing of the cross-entropy (nats) or the squared error of a one-hot."""
    fires = torch.sigmoid(parameters.fires)
    if kind == "cross_entropy":
        on, off = (-torch.log_softmax(output, dim=-1) for output in (parameters.on, parameters.off))
    else:
        # ‖prediction − one-hot(i)‖² = ‖prediction‖² − 2 prediction_i + 1
        on, off = (output.square().sum(-1, keepdim=True) - 2 * output + 1 for output in (parameters.on, parameters.off))
    return (fires * on + (1 - fires) * off).mean(-1)


def train(
    config: PolysemanticNeuronConfig, kind: str, seed: int, device: str
) -> tuple[Float[np.ndarray, " restart"], Int[np.ndarray, " restart"]]:
    """Loss and size of the smaller group of every restart."""
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "start"))
    start = Parameters(*(torch.randn(config.restarts, config.n, generator=generator, device=device) for _ in range(3)))
    none = data.Batch(torch.zeros(0, config.n, device=device), torch.zeros(0, device=device))
    parameters = training.train(
        start,
        lambda parameters, _: expected_loss(parameters, kind),
        lambda n_samples, source: none,
        training.Optimisation(config.steps, 0, config.learning_rate),
        generator,
        f"steps, {kind}",
    )
    size = (parameters.fires > 0).sum(-1).cpu().numpy()
    return expected_loss(parameters, kind).cpu().double().numpy(), np.minimum(size, config.n - size)


def grade(exact: dict[str, list[float]], trained: dict[str, dict[str, Any]], half: int) -> acceptance.Rules:
    """Acceptance rules: cross-entropy trains a neuron of half of the features, squared error gains nothing from one."""
    gap = trained["cross_entropy"]["best_loss"] - min(exact["cross_entropy"])
    gains = {kind: losses[0] - losses[-1] for kind, losses in exact.items()}
    return {
        "best_group": acceptance.equal(trained["cross_entropy"]["best_group"], half),
        "gap_to_exact_optimum": acceptance.Rule(gap, CLOSE, bool(abs(gap) <= CLOSE)),
        "gain_of_polysemantic_nats": acceptance.above(gains["cross_entropy"], BAR_GAIN),
        "squared_error_has_no_gain": acceptance.at_most(gains["squared_error"], BAR_GAIN),
    }


def run(config: PolysemanticNeuronConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Exact losses of every group size, and what trained models choose under both losses."""
    n, half = config.n, config.n // 2
    sizes = list(range(1, half + 1))
    exact = {
        "cross_entropy": [absolute_value.cross_entropy_of_group(size, n) for size in sizes],
        "squared_error": [absolute_value.squared_error_of_group(size, n) for size in sizes],
    }
    trained, arrays = {}, {}
    for kind in exact:
        losses, chosen = train(config, kind, seed, device)
        best = int(losses.argmin())
        trained[kind] = {
            "best_loss": losses[best],
            "best_group": int(chosen[best]),
            "share_by_group": [float((chosen == size).mean()) for size in range(half + 1)],
            "share_half": float((chosen == half).mean()),
            "share_at_optimum": float((losses <= min(exact[kind]) + CLOSE).mean()),
        }
        arrays |= {f"{kind}_losses": losses, f"{kind}_groups": chosen}

    rules = grade(exact, trained, half)
    result = {
        "sizes": sizes,
        "exact": exact,
        "trained": trained,
        "monosemantic_nats": exact["cross_entropy"][0],
        "polysemantic_nats": exact["cross_entropy"][-1],
        "gain_nats": rules["gain_of_polysemantic_nats"].value,
        "controls": {
            "squared_error_gain": rules["squared_error_has_no_gain"].value,
            "squared_error_share_half": trained["squared_error"]["share_half"],
            # every feature in the group or not, with a probability of one half
            "random_share_half": math.comb(n, half) * (1 if 2 * half == n else 2) / 2**n,
        },
        "acceptance": acceptance.to_json(rules),
    }
    return result, arrays
