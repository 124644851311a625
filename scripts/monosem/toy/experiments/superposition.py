"""Superposition appears: a model per sparsity, with and without a ReLU, graded against theory (Elhage et al. 2022)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.settings import SuperpositionConfig
from scripts.monosem.toy.theory import superposition

OUTPUTS: tuple[models.Output, ...] = ("relu", "linear")
BAR_OFF_DIAGONAL = 0.1
"""|(WᵀW)_ij| below which dense features are orthogonal."""
BAR_LINEAR_GAP = 0.01
"""Relative gap of the linear model's loss to its closed form."""


@dataclass(frozen=True)
class Stack:
    """The trained models of one output, best restart of each level."""

    parameters: models.Parameters
    """W [level, m, n] and b [level, n] of the kept restarts."""
    restart_losses: Float[np.ndarray, "level restart"]
    """Loss of every restart: on fresh samples, or exact for the linear output."""

    @property
    def loss(self) -> Float[np.ndarray, " level"]:
        """Loss of the kept restarts."""
        return self.restart_losses.min(axis=1)


def importances(config: SuperpositionConfig) -> Float[np.ndarray, " n"]:
    """Weight of each feature in the loss."""
    return superposition.importances(config.n, config.importance)


def _scale(config: SuperpositionConfig) -> Float[np.ndarray, " level"]:
    """Loss of the best constant at each level: the unit in which losses are trained and compared."""
    return superposition.constant_losses(config.probabilities, importances(config))


def _loss_function(
    config: SuperpositionConfig, output: models.Output, device: str
) -> Callable[[models.Parameters, data.Batch], Float[Tensor, "restart level"]]:
    importance = torch.tensor(importances(config), dtype=torch.float32, device=device)
    scale = torch.tensor(_scale(config), dtype=torch.float32, device=device)
    return lambda parameters, batch: models.reconstruction_loss(parameters, batch, importance, output) / scale


def _evaluate_linear(parameters: models.Parameters, config: SuperpositionConfig) -> Float[np.ndarray, "restart level"]:
    """Relative losses of linear models by their closed form, free of sampling noise."""
    W, b = parameters.W.double().cpu().numpy(), parameters.b.double().cpu().numpy()
    probabilities = [np.full(config.n, p) for p in config.probabilities]
    losses = [
        [superposition.linear_loss(W[i, j], b[i, j], p, importances(config)) for j, p in enumerate(probabilities)]
        for i in range(config.restarts)
    ]
    return np.array(losses) / _scale(config)


def train_stack(config: SuperpositionConfig, output: models.Output, seed: int, device: str = "cpu") -> Stack:
    """Train all restarts of all levels at once and keep the best of each level, which is returned on the CPU.

    Both outputs see the same samples: the generator's seed does not depend on `output`.
    """
    probability = data.level_probabilities(config.probabilities, config.n, device)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))
    instances = (config.restarts, len(config.probabilities))
    loss = _loss_function(config, output, device)

    def draw(n_samples: int, source: Generator) -> data.Batch:
        return data.stratified_batch(probability, n_samples, source)

    parameters = training.train(
        models.initialise(instances, config.n, config.m, generator),
        loss,
        draw,
        training.Optimisation(config.steps, config.batch_size, config.learning_rate),
        generator,
        f"steps, {output} output",
    )
    if output == "linear":
        relative = _evaluate_linear(parameters, config)
    else:
        fresh = torch.Generator(device).manual_seed(derive_seed(seed, "evaluate"))
        relative = training.evaluate(parameters, loss, draw, config.evaluation_samples, fresh)
    return Stack(training.best_restarts(parameters, relative), (relative * _scale(config)).T)


def describe(config: SuperpositionConfig, stack: Stack) -> list[dict[str, Any]]:
    """What each level's kept model looks like, as numbers."""
    W, b = stack.parameters.W.double().numpy(), stack.parameters.b.double().numpy()
    norms = geometry.norms(W)
    weights = importances(config)
    levels = []
    for level, p in enumerate(config.probabilities):
        probabilities = np.full(config.n, p)
        constant = superposition.constant_loss(probabilities, weights)
        optimum = superposition.linear_optimum(probabilities, weights, config.m)
        represented = norms[level] > geometry.REPRESENTED_NORM
        unrepresented_bias = np.abs(b[level] - superposition.feature_mean(probabilities))[~represented]
        levels.append(
            {
                "probability": p,
                "loss": stack.loss[level],
                "loss_of_best_constant": constant,
                "loss_of_linear_optimum": optimum,
                "unexplained": stack.loss[level] / constant,
                "loss_over_linear_optimum": stack.loss[level] / optimum,
                "restart_losses": stack.restart_losses[level],
                "n_represented": int(represented.sum()),
                "n_norm_above_0_9": int((norms[level] > 0.9).sum()),
                "n_norm_below_0_1": int((norms[level] < 0.1).sum()),
                "min_norm": norms[level].min(),
                "max_off_diagonal": geometry.max_off_diagonal(W[level]),
                "dimensions_per_feature": geometry.dimensions_per_feature(W[level]),
                "sum_dimensionality": geometry.dimensionality(W[level]).sum(),
                "n_negative_bias": int((b[level] < -0.01 * p).sum()),
                "max_bias_error_unrepresented": unrepresented_bias.max() if unrepresented_bias.size else None,
                "norms": norms[level],
                "interference": geometry.interference(W[level]),
                "dimensionality": geometry.dimensionality(W[level]),
                "bias": b[level],
            }
        )
    return levels


def grade(config: SuperpositionConfig, described: dict[str, list[dict[str, Any]]]) -> acceptance.Rules:
    """Acceptance rules: m orthogonal features where it is dense, more than m where it is sparse and never if linear."""
    by_density = sorted(described["relu"], key=lambda level: -level["probability"])
    dense, sparse = by_density[0], by_density[-1]
    equal = described["relu_equal_importance"][0]["n_represented"]
    linear_counts = [level["n_represented"] for level in described["linear"]]
    linear_gap = max(abs(level["loss_over_linear_optimum"] - 1.0) for level in described["linear"])
    m, n = config.m, config.n
    return {
        "dense_norms_above_0_9": acceptance.equal(dense["n_norm_above_0_9"], m),
        "dense_norms_below_0_1": acceptance.equal(dense["n_norm_below_0_1"], n - m),
        "dense_max_off_diagonal": acceptance.below(dense["max_off_diagonal"], BAR_OFF_DIAGONAL),
        "sparsest_norms_above_0_5": acceptance.equal(sparse["n_represented"], n),
        "sparsest_represented_above_m": acceptance.above(sparse["n_represented"], m),
        "sparsest_equal_importance_norms_above_0_5": acceptance.equal(equal, n),
        "linear_represented_everywhere": acceptance.Rule(linear_counts, m, all(count == m for count in linear_counts)),
        "linear_loss_relative_gap_to_optimum": acceptance.below(linear_gap, BAR_LINEAR_GAP),
    }


def run(config: SuperpositionConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train both outputs; returns the result as JSON values and the arrays `{output}_W`, `{output}_b`, …

    A third stack, the sparsest level with all importances equal, tells whether a feature without a direction was left
    out for its low importance or for lack of room.
    """
    stacks = {output: train_stack(config, output, seed, device) for output in OUTPUTS}
    described = {output: describe(config, stack) for output, stack in stacks.items()}
    equal = replace(config, importance=1.0, probabilities=(min(config.probabilities),))
    stacks["relu_equal_importance"] = train_stack(equal, "relu", seed, device)
    described["relu_equal_importance"] = describe(equal, stacks["relu_equal_importance"])
    arrays = {"probabilities": np.array(config.probabilities), "importances": importances(config)}
    for name, stack in stacks.items():
        arrays |= {f"{name}_W": stack.parameters.W.numpy(), f"{name}_b": stack.parameters.b.numpy()}
    result = {
        "represented_norm": geometry.REPRESENTED_NORM,
        "models": described,
        "controls": {"linear_represented": [level["n_represented"] for level in described["linear"]]},
        "acceptance": acceptance.to_json(grade(config, described)),
    }
    return result, arrays
