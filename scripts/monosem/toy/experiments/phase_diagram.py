"""Phase diagrams: the fate of one extra feature against sparsity and importance, beside the theoretical diagram.

n features share m = n − 1 dimensions (Elhage et al. 2022, "Superposition as a Phase Change"). Expectations are computed
by enumeration, so that training has no sampling noise. Ten models per cell: the best is compared with theory, and as in
the paper all but the worst are averaged for the picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.settings import PhaseDiagramConfig
from scripts.monosem.toy.theory import phases, superposition

OFF_BOUNDARY = 0.15
"""Decades of importance from the theoretical boundary within which a cell is not graded."""
BAR_AGREEMENT = 0.95
"""Least share of the graded cells that agree with theory."""
TRIPLE_TOLERANCE = 0.05
"""Largest distance of the fitted triple point from that of theory."""
BAR_COEXIST = 0.1
"""Decades of importance over which both branches must be local minima."""
FINE_POINTS = 8
"""Nodes per feature where losses are compared."""
BRANCH_IMPORTANCES = (0.05, 20.0)
"""Range of the importances at which branches are followed."""
BRANCH_POINTS = 81
"""Number of these importances."""
START_NOISE = 0.02
"""Of the branches' initial weights, so that a saddle is left."""


@dataclass(frozen=True)
class Cells:
    """Trained models over importances (axis 0) and probabilities (axis 1)."""

    fate: Int[np.ndarray, "importance p"]
    """Class of the extra feature in the best model."""
    norm: Float[np.ndarray, "importance p"]
    """Length of the extra feature in the best model."""
    interference: Float[np.ndarray, "importance p"]
    """Its interference there."""
    mean_norm: Float[np.ndarray, "importance p"]
    """Length, mean over all models but the worst."""
    mean_interference: Float[np.ndarray, "importance p"]
    """Interference, likewise."""


def _loss(
    importance: Float[np.ndarray, "row n"], p: Float[np.ndarray, " column"], output: models.Output, device: str
) -> Callable:
    """Loss of a stack [..., row, column] in units of the best constant's, for importances by row and p by column."""
    unit = importance.sum(-1)[:, None] * superposition.feature_variance(p)[None]
    weights = torch.tensor(importance, dtype=torch.float32, device=device)[:, None, None]
    scale = torch.tensor(unit, dtype=torch.float32, device=device)

    def loss(parameters: models.Parameters, batch: data.Batch) -> Float[Tensor, "*start row column"]:
        error = ((models.forward(parameters, batch.x, output) - batch.x).square() * weights).sum(-1)
        return (error * batch.weight).sum(-1) / scale

    return loss


def train_grid(
    config: PhaseDiagramConfig,
    start: models.Parameters,
    importance: Float[np.ndarray, " row"],
    p: Float[np.ndarray, " column"],
    output: models.Output,
    device: str,
) -> tuple[models.Parameters, Float[np.ndarray, "start row column"]]:
    """Train starts [start, row, column]: parameters, on the CPU, and losses on a finer grid, in true units."""
    weights = np.ones((len(importance), config.n))
    weights[:, -1] = importance
    loss = _loss(weights, p, output, device)
    probability = np.repeat(p[:, None], config.n, axis=1)
    batch = data.enumerated_batch(probability, config.points, device)
    optimisation = training.Optimisation(config.steps, batch.x.shape[1], config.learning_rate)
    generator = torch.Generator(device)
    trained = training.train(start, loss, lambda n_samples, source: batch, optimisation, generator)
    fine = data.enumerated_batch(probability, FINE_POINTS, device)
    with torch.no_grad():
        stacks = [models.Parameters(*(tensor[index] for tensor in trained)) for index in range(trained.W.shape[0])]
        relative = torch.stack([loss(stack, fine) for stack in stacks]).double().cpu().numpy()
    unit = weights.sum(-1)[:, None] * superposition.feature_variance(p)[None]
    return models.Parameters(*(tensor.cpu() for tensor in trained)), relative * unit


def diagram(config: PhaseDiagramConfig, output: models.Output, restarts: int, seed: int, device: str) -> Cells:
    """Train `restarts` models in every cell from random weights."""
    importance, p = data.log_spaced(config.importances), data.log_spaced(config.probabilities)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "diagram"))
    start = models.initialise((restarts, len(importance), len(p)), config.n, config.m, generator)
    trained, losses = train_grid(config, start, importance, p, output, device)
    W = trained.W.double().numpy()
    kept = np.ones_like(losses, dtype=bool)
    if restarts > 1:
        np.put_along_axis(kept, losses.argmax(axis=0)[None], False, axis=0)
    norm, interference = geometry.norms(W)[..., -1], geometry.interference(W)[..., -1]
    best = losses.argmin(axis=0)[None]
    best_norm, best_interference = (np.take_along_axis(array, best, axis=0)[0] for array in (norm, interference))
    return Cells(
        phases.fate_of(best_norm, best_interference, geometry.REPRESENTED_NORM),
        best_norm,
        best_interference,
        norm.mean(axis=0, where=kept),
        interference.mean(axis=0, where=kept),
    )


def branches(
    config: PhaseDiagramConfig,
    importance: Float[np.ndarray, " row"],
    p: Float[np.ndarray, " column"],
    output: models.Output,
    seed: int,
    device: str,
) -> tuple[Float[np.ndarray, "solution row column"], Bool[np.ndarray, "solution row column"]]:
    """Losses after gentle training from each ideal solution; true where WᵀW is still nearest to its start.

    A branch that stays is a local minimum. Noise is added with both signs, because the ReLU lets a saddle attract on
    one side and repel on the other.
    """
    solutions = phases.SOLUTIONS[config.n]
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "branches"))
    shape = (len(solutions), len(importance), len(p))
    noise = START_NOISE * models.initialise(shape, config.n, config.m, generator).W
    ideal = torch.tensor(np.stack([solution.W for solution in solutions.values()]), dtype=torch.float32, device=device)
    absent = (ideal == 0).all(dim=1)
    mean = torch.tensor(superposition.feature_mean(p), dtype=torch.float32, device=device)
    bias = (absent[:, None, None, :] * mean[None, None, :, None]).expand(*shape, config.n)
    both = torch.cat([ideal[:, None, None] + noise, ideal[:, None, None] - noise])
    start = models.Parameters(both, torch.cat([bias, bias]))
    gentle = replace(config, steps=2 * config.steps, learning_rate=config.learning_rate / 3.0)
    trained, losses = train_grid(gentle, start, importance, p, output, device)
    G = geometry.gram(trained.W.numpy())
    ideals = np.stack([geometry.gram(solution.W) for solution in solutions.values()])
    nearest = np.abs(G[..., None, :, :] - ideals).max(axis=(-2, -1)).argmin(axis=-1).reshape(2, *shape)
    return losses[: len(solutions)], (nearest == np.arange(len(solutions))[:, None, None]).all(axis=0)


def crossing(
    x: Float[np.ndarray, " point"], difference: Float[np.ndarray, " point"], defined: Bool[np.ndarray, " point"]
) -> float | None:
    """Where a difference first changes its sign between neighbours that are both defined, by linear interpolation."""
    change = (np.diff(np.sign(difference)) != 0) & defined[1:] & defined[:-1]
    if not change.any():
        return None
    i = change.argmax()
    return float(x[i] - difference[i] * (x[i + 1] - x[i]) / (difference[i + 1] - difference[i]))


def overlap(
    x: Float[np.ndarray, " point"], first: Bool[np.ndarray, " point"], second: Bool[np.ndarray, " point"]
) -> float:
    """Decades over which two branches are both local minima, counted as grid steps."""
    return float((first & second).sum() * np.log10(x[-1] / x[0]) / (len(x) - 1))


def accept(cells: dict[str, dict[str, Any]], triple: float, first_order: dict[str, Any]) -> acceptance.Rules:
    """Acceptance rules, and that the linear model misses what the ReLU model shows."""

    relu, linear = cells["relu"], cells["linear"]
    return {
        "agreement_off_boundary": acceptance.at_least(relu["agreement"], BAR_AGREEMENT),
        "triple_point_error": acceptance.at_most(abs(triple - phases.TRIPLE_POINT), TRIPLE_TOLERANCE),
        "loss_curves_cross": acceptance.equal(first_order["crosses"], True),
        "branches_coexist_decades": acceptance.above(first_order["relu_coexist"], BAR_COEXIST),
        "linear_agreement_fails": acceptance.below(linear["agreement"], BAR_AGREEMENT),
        "linear_has_no_superposition": acceptance.equal(linear["superposed_share"], 0.0),
        "linear_branches_do_not_coexist": acceptance.at_most(first_order["linear_coexist"], BAR_COEXIST),
    }


def run(config: PhaseDiagramConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train all cells and branches; arrays hold the diagrams [importance, p] and the loss curves [solution, point]."""
    importance, p = data.log_spaced(config.importances), data.log_spaced(config.probabilities)
    expected = phases.best_fate(config.n, p[None], importance[:, None])
    off = phases.decades_from_boundary(config.n, p[None], importance[:, None]) > OFF_BOUNDARY
    # at I = 1 every rotation of a linear model is as good, so that its extra feature may well share a dimension
    unequal = off & (np.abs(np.log10(importance)) > OFF_BOUNDARY)[:, None]
    arrays = {"importances": importance, "probabilities": p, "theory_fate": expected, "graded": off}
    cells: dict[str, dict[str, Any]] = {}
    for output, restarts in (("relu", config.restarts), ("linear", max(1, config.restarts // 5))):
        trained = diagram(config, output, restarts, seed, device)
        cells[output] = {
            "agreement": float((trained.fate == expected)[off].mean()),
            "agreement_everywhere": float((trained.fate == expected).mean()),
            "superposed_share": float((trained.fate == phases.SUPERPOSED)[unequal].mean()),
            "n_graded": int(off.sum()),
            "n_cells": int(off.size),
        }
        arrays |= {f"{output}_{field.name}": getattr(trained, field.name) for field in fields(trained)}

    names = list(phases.SOLUTIONS[config.n])
    sequence = np.geomspace(BRANCH_IMPORTANCES[0], BRANCH_IMPORTANCES[1], BRANCH_POINTS)
    at = np.array([config.slice_probability])
    coexist = {}
    for output in ("relu", "linear"):
        losses, stays = (array[..., 0] for array in branches(config, sequence, at, output, seed, device))
        coexist[f"{output}_coexist"] = overlap(sequence, stays[0], stays[1] if output == "relu" else stays[2])
        arrays |= {f"{output}_branch_losses": losses, f"{output}_branch_stays": stays}
    arrays["branch_importances"] = sequence
    losses, stays = arrays["relu_branch_losses"], arrays["relu_branch_stays"]
    transition = crossing(np.log10(sequence), losses[0] - losses[1], stays[0] & stays[1])
    lower, upper = phases.boundaries(config.n, config.slice_probability)

    triple = phases.fit_triple_point(config.n, p, importance, arrays["relu_fate"])
    first_order = {
        "probability": config.slice_probability,
        "importance_at_crossing": None if transition is None else 10.0**transition,
        "importance_at_crossing_theory": float(lower),
        "importance_at_second_theory": float(upper),
        "crosses": transition is not None,
        **coexist,
    }
    result = {
        "solutions": names,
        "off_boundary_decades": OFF_BOUNDARY,
        "cells": {"relu": cells["relu"]},
        "triple_point": {"fitted": triple, "theory": phases.TRIPLE_POINT},
        "first_order": first_order,
        "controls": {"linear": cells["linear"]},
        "acceptance": acceptance.to_json(accept(cells, triple, first_order)),
    }
    return result, arrays
