"""Phase diagrams: the fate of one extra feature against sparsity and importance, beside the theoretical diagram.

n features share m = n − 1 dimensions (Elhage et al. 2022, "Superposition as a Phase Change"). Expectations are computed
by enumeration, so that training has no sampling noise. Ten models per cell: the best is compared with theory, and as in
the paper all but the worst are averaged for the picture. Every cell is graded.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.settings import PhaseDiagramConfig
from scripts.monosem.toy.theory import phases, superposition

BAR_AGREEMENT = 0.95
"""Least share of the cells whose fate is that of theory there or one step of the grid away."""
BAR_SUPERPOSED = 0.5
"""Least share of the cells in superposition, in units of theory's."""
END_TOLERANCE = 1
"""Largest distance, in steps of the grid, between the densest levels at which equal features are superposed."""
BAR_QUADRATURE = 0.01
"""Largest error of a trained cell's loss, relative to a finer grid's, that counts as exact."""
BAR_COEXIST = 0.1
"""Decades of importance over which both branches must be local minima."""
FINE_POINTS = 8
"""Nodes per feature where losses are compared."""
BRANCH_IMPORTANCES = (0.05, 20.0)
"""Range of the importances at which branches are followed."""
BRANCH_POINTS = 81
"""Number of these importances."""
NEGLIGIBLE = 0.01
"""Of the best constant's loss: smaller losses count as this one in relative errors."""
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
    error: Float[np.ndarray, "importance p"]
    """Relative error of the best model's loss on the grid that it was trained on."""


def _loss(
    importance: Float[np.ndarray, "row n"], p: Float[np.ndarray, " column"], output: models.Output, device: str
) -> Callable:
    """Loss of a stack [..., row, column] in units of the best constant's, for importances by row and p by column."""
    unit = importance.sum(-1)[:, None] * superposition.feature_variance(p)[None]
    weights = torch.tensor(importance, dtype=torch.float32, device=device)[:, None]
    scale = torch.tensor(unit, dtype=torch.float32, device=device)
    return lambda parameters, batch: models.reconstruction_loss(parameters, batch, weights, output) / scale


def train_grid(
    config: PhaseDiagramConfig,
    start: models.Parameters,
    importance: Float[np.ndarray, " row"],
    p: Float[np.ndarray, " column"],
    output: models.Output,
    device: str,
) -> tuple[models.Parameters, Float[np.ndarray, "start row column"], Float[np.ndarray, "start row column"]]:
    """Train starts [start, row, column].

    Returns parameters, on the CPU, losses on a finer grid, in true units, and the relative error of the losses on the
    grid of the training.
    """
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
        exact, trained_on = (loss(trained, given).double().cpu().numpy() for given in (fine, batch))
    unit = weights.sum(-1)[:, None] * superposition.feature_variance(p)[None]
    error = np.abs(trained_on - exact) / np.maximum(exact, NEGLIGIBLE)
    return models.Parameters(*(tensor.cpu() for tensor in trained)), exact * unit, error


def diagram(config: PhaseDiagramConfig, output: models.Output, restarts: int, seed: int, device: str) -> Cells:
    """Train `restarts` models in every cell from random weights."""
    importance, p = data.log_spaced(config.importances), data.log_spaced(config.probabilities)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "diagram"))
    start = models.initialise((restarts, len(importance), len(p)), config.n, config.m, generator)
    trained, losses, error = train_grid(config, start, importance, p, output, device)
    W = trained.W.double().numpy()
    kept = np.ones_like(losses, dtype=bool)
    if restarts > 1:
        np.put_along_axis(kept, losses.argmax(axis=0)[None], False, axis=0)
    norm, interference = geometry.norms(W)[..., -1], geometry.interference(W)[..., -1]
    best = losses.argmin(axis=0)[None]
    best_norm, best_interference, best_error = (
        np.take_along_axis(array, best, axis=0)[0] for array in (norm, interference, error)
    )
    return Cells(
        phases.fate_of(best_norm, best_interference, geometry.REPRESENTED_NORM),
        best_norm,
        best_interference,
        norm.mean(axis=0, where=kept),
        interference.mean(axis=0, where=kept),
        best_error,
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
    trained, losses, _ = train_grid(gentle, start, importance, p, output, device)
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


def densest_superposed(fate: Int[np.ndarray, "importance p"], importance: Float[np.ndarray, " importance"]) -> int:
    """Number of levels up to the densest one at which a feature a little less important than the others is superposed.

    A little less, because at equal importance every rotation of a linear model is as good, and most look superposed.
    """
    row = fate[np.flatnonzero(importance < 0.999)[-1]]
    return int(np.flatnonzero(row == phases.SUPERPOSED).max(initial=-1)) + 1


def describe(trained: Cells, expected: Int[np.ndarray, "importance p"], importance: Float[np.ndarray, " importance"]
             ) -> dict[str, Any]:  # fmt: skip
    """Measurements of one output's diagram against theory."""
    unequal = np.abs(np.log10(importance)) > 1e-6
    shares = [(fate == phases.SUPERPOSED)[unequal].mean() for fate in (trained.fate, expected)]
    apart = densest_superposed(trained.fate, importance) - densest_superposed(expected, importance)
    return {
        "agreement": float(phases.agrees_within_one_step(trained.fate, expected).mean()),
        "agreement_in_the_same_cell": float((trained.fate == expected).mean()),
        "superposed_over_theory": float(shares[0] / max(shares[1], 1e-9)),
        "end_of_superposition_steps_apart": abs(apart),
        "largest_quadrature_error": float(trained.error.max()),
        "n_cells": int(expected.size),
    }


def accept(cells: dict[str, dict[str, Any]], first_order: dict[str, Any]) -> acceptance.Rules:
    """Acceptance rules, and that the linear model misses what the ReLU model shows."""

    relu, linear = cells["relu"], cells["linear"]
    end, share = "end_of_superposition_steps_apart", "superposed_over_theory"
    return {
        "agreement_within_one_step": acceptance.at_least(relu["agreement"], BAR_AGREEMENT),
        share: acceptance.at_least(relu[share], BAR_SUPERPOSED),
        end: acceptance.at_most(relu[end], END_TOLERANCE),
        "loss_curves_cross": acceptance.equal(first_order["relu_crosses"], True),
        "branches_coexist_decades": acceptance.above(first_order["relu_coexist"], BAR_COEXIST),
        "quadrature_error": acceptance.at_most(relu["largest_quadrature_error"], BAR_QUADRATURE),
        "linear_agreement_fails": acceptance.below(linear["agreement"], BAR_AGREEMENT),
        "linear_superposed_over_theory": acceptance.below(linear[share], BAR_SUPERPOSED),
        "linear_end_of_superposition": acceptance.above(linear[end], END_TOLERANCE),
        "linear_loss_curves_do_not_cross": acceptance.equal(first_order["linear_crosses"], False),
        "linear_branches_do_not_coexist": acceptance.at_most(first_order["linear_coexist"], BAR_COEXIST),
    }


def run(config: PhaseDiagramConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train all cells and branches; arrays hold the diagrams [importance, p] and the loss curves [solution, point]."""
    importance, p = data.log_spaced(config.importances), data.log_spaced(config.probabilities)
    expected = phases.expected_fate(config.n, p, importance)
    lower, upper = phases.boundaries(config.n, p)
    arrays = {
        "importances": importance, "probabilities": p, "theory_fate": expected, "lower": lower, "upper": upper,
    }  # fmt: skip
    cells: dict[str, dict[str, Any]] = {}
    for output, restarts in (("relu", config.restarts), ("linear", max(1, config.restarts // 5))):
        trained = diagram(config, output, restarts, seed, device)
        cells[output] = describe(trained, expected, importance)
        arrays |= {f"{output}_{field.name}": getattr(trained, field.name) for field in fields(trained)}

    sequence = np.geomspace(BRANCH_IMPORTANCES[0], BRANCH_IMPORTANCES[1], BRANCH_POINTS)
    at = np.array([config.slice_probability])
    first_order: dict[str, Any] = {"probability": config.slice_probability}
    for output, other in (("relu", 1), ("linear", 2)):
        losses, stays = (array[..., 0] for array in branches(config, sequence, at, output, seed, device))
        transition = crossing(np.log10(sequence), losses[0] - losses[other], stays[0] & stays[other])
        first_order |= {
            f"{output}_coexist": overlap(sequence, stays[0], stays[other]),
            f"{output}_crosses": transition is not None,
            f"{output}_importance_at_crossing": None if transition is None else 10.0**transition,
        }
        arrays |= {f"{output}_branch_losses": losses, f"{output}_branch_stays": stays}
    arrays["branch_importances"] = sequence
    (first_order["importance_at_crossing_theory"],), _ = phases.boundaries(config.n, at)
    result = {
        "solutions": list(phases.SOLUTIONS[config.n]),
        "cells": {"relu": cells["relu"]},
        "first_order": first_order,
        "controls": {"linear": cells["linear"]},
        "acceptance": acceptance.to_json(accept(cells, first_order)),
    }
    return result, arrays
