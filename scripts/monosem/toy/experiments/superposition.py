"""Superposition appears: a model per sparsity, with and without a ReLU, graded against theory (Elhage et al. 2022)."""

from dataclasses import replace
from typing import Any

import numpy as np

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, geometry, models, superposition_models
from scripts.monosem.toy.settings import SuperpositionConfig
from scripts.monosem.toy.theory import superposition

OUTPUTS: tuple[models.Output, ...] = ("relu", "linear")
BAR_OFF_DIAGONAL = 0.1
"""|(WᵀW)_ij| below which dense features are orthogonal."""
BAR_LINEAR_GAP = 0.01
"""Relative gap of the linear model's loss to its closed form."""


def describe(config: SuperpositionConfig, stack: superposition_models.Stack, seed: int) -> list[dict[str, Any]]:
    """Measurements of each level's kept model."""
    W, b = stack.parameters.W.double().numpy(), stack.parameters.b.double().numpy()
    norms = geometry.norms(W)
    weights = superposition_models.importances(config)
    random = np.random.default_rng(derive_seed(seed, "random features")).permutation(config.n)[: config.m]
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
                # features are in the order of their importance; as many random ones are the control
                "n_random_above_0_9": int((norms[level][random] > 0.9).sum()),
                "n_most_important_above_0_9": int((norms[level][: config.m] > 0.9).sum()),
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
        "dense_most_important_above_0_9": acceptance.equal(dense["n_most_important_above_0_9"], m),
        "random_features_above_0_9": acceptance.below(dense["n_random_above_0_9"], m),
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
    stacks = {output: superposition_models.train_stack(config, output, seed, device) for output in OUTPUTS}
    described = {output: describe(config, stack, seed) for output, stack in stacks.items()}
    equal = replace(config, importance=1.0, probabilities=(min(config.probabilities),))
    stacks["relu_equal_importance"] = superposition_models.train_stack(equal, "relu", seed, device)
    described["relu_equal_importance"] = describe(equal, stacks["relu_equal_importance"], seed)
    arrays = {"probabilities": np.array(config.probabilities), "importances": superposition_models.importances(config)}
    for name, stack in stacks.items():
        arrays |= {f"{name}_W": stack.parameters.W.numpy(), f"{name}_b": stack.parameters.b.numpy()}
    result = {
        "represented_norm": geometry.REPRESENTED_NORM,
        "models": described,
        "controls": {"linear_represented": [level["n_represented"] for level in described["linear"]]},
        "acceptance": acceptance.to_json(grade(config, described)),
    }
    return result, arrays
