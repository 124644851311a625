"""Superposition appears: a model per sparsity, with and without a ReLU, graded against theory (Elhage et al. 2022)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.theory import superposition

OUTPUTS: tuple[models.Output, ...] = ("relu", "linear")
BAR_OFF_DIAGONAL = 0.1
"""|(WᵀW)_ij| below which dense features are orthogonal."""
BAR_LINEAR_GAP = 0.01
"""Relative gap of the linear model's loss to its closed form."""


@dataclass(frozen=True)
class SuperpositionConfig:
    """The experiment: n features in m dimensions, one level per feature probability."""

    n: int
    """Features."""
    m: int
    """Hidden dimensions."""
    importance: float
    """Feature i weighs importance^i in the loss."""
    probabilities: tuple[float, ...]
    """Feature-on probability of each level, densest first."""
    restarts: int
    """Models per level and output; the one of least loss is kept."""
    steps: int
    """Adam steps."""
    batch_size: int
    """Samples per step and level, shared by the restarts of a level."""
    learning_rate: float
    """Adam's; constant for half of the steps, then linear to zero."""
    evaluation_samples: int
    """Fresh samples on which restarts are compared and losses reported (the linear model has a closed form)."""

    @property
    def importances(self) -> Float[np.ndarray, " n"]:
        """Weight of each feature in the loss."""
        return self.importance ** np.arange(self.n, dtype=np.float64)

    @property
    def optimisation(self) -> training.Optimisation:
        """The part that concerns the optimiser."""
        return training.Optimisation(self.steps, self.batch_size, self.learning_rate)


def from_params(params: dict[str, Any]) -> SuperpositionConfig:
    """A dict of config.yaml -> SuperpositionConfig; a `seed` in it is not part of the experiment."""
    params = {key: value for key, value in params.items() if key != "seed"}
    return SuperpositionConfig(**{**params, "probabilities": tuple(params["probabilities"])})


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


def _scale(config: SuperpositionConfig) -> Float[np.ndarray, " level"]:
    """Loss of the best constant at each level: the unit in which losses are trained and compared."""
    return np.array(
        [superposition.constant_loss(np.full(config.n, p), config.importances) for p in config.probabilities]
    )


def _loss_function(
    config: SuperpositionConfig, output: models.Output, device: str
) -> Callable[[models.Parameters, data.Batch], Float[Tensor, "restart level"]]:
    importance = torch.tensor(config.importances, dtype=torch.float32, device=device)
    scale = torch.tensor(_scale(config), dtype=torch.float32, device=device)
    return lambda parameters, batch: models.reconstruction_loss(parameters, batch, importance, output) / scale


def _evaluate(
    parameters: models.Parameters, loss: Callable, probability: Float[Tensor, "level n"], n_samples: int, seed: int
) -> Float[np.ndarray, "restart level"]:
    """Relative losses on fresh samples, in blocks of bounded memory."""
    generator = torch.Generator(probability.device).manual_seed(derive_seed(seed, "evaluate"))
    block, total = 1024, 0.0
    blocks = max(1, n_samples // block)
    for _ in range(blocks):
        total = total + loss(parameters, data.stratified_batch(probability, block, generator)).double().cpu().numpy()
    return total / blocks


def _evaluate_linear(parameters: models.Parameters, config: SuperpositionConfig) -> Float[np.ndarray, "restart level"]:
    """Relative losses of linear models by their closed form, free of sampling noise."""
    W, b = parameters.W.double().cpu().numpy(), parameters.b.double().cpu().numpy()
    probabilities = [np.full(config.n, p) for p in config.probabilities]
    losses = [
        [superposition.linear_loss(W[i, j], b[i, j], p, config.importances) for j, p in enumerate(probabilities)]
        for i in range(config.restarts)
    ]
    return np.array(losses) / _scale(config)


def train_stack(config: SuperpositionConfig, output: models.Output, seed: int, device: str = "cpu") -> Stack:
    """Train all restarts of all levels at once and keep the best of each level, which is returned on the CPU.

    Both outputs see the same samples: the generator's seed does not depend on `output`.
    """
    probability = torch.tensor(config.probabilities, device=device)[:, None].expand(-1, config.n).contiguous()
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))
    instances = (config.restarts, len(config.probabilities))
    loss = _loss_function(config, output, device)
    parameters = training.train(
        models.initialise(instances, config.n, config.m, generator),
        loss,
        lambda n_samples, source: data.stratified_batch(probability, n_samples, source),
        config.optimisation,
        generator,
        f"steps, {output} output",
    )
    if output == "linear":
        relative = _evaluate_linear(parameters, config)
    else:
        relative = _evaluate(parameters, loss, probability, config.evaluation_samples, seed)
    best, level = relative.argmin(axis=0), np.arange(relative.shape[1])
    kept = models.Parameters(*(tensor[best, level].cpu() for tensor in parameters))
    return Stack(kept, (relative * _scale(config)).T)


def describe(config: SuperpositionConfig, stack: Stack) -> list[dict[str, Any]]:
    """What each level's kept model looks like, as numbers."""
    W, b = stack.parameters.W.double().numpy(), stack.parameters.b.double().numpy()
    norms, levels = geometry.norms(W), []
    for level, p in enumerate(config.probabilities):
        probabilities = np.full(config.n, p)
        constant = superposition.constant_loss(probabilities, config.importances)
        optimum = superposition.linear_optimum(probabilities, config.importances, config.m)
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
    arrays = {"probabilities": np.array(config.probabilities), "importances": config.importances}
    for name, stack in stacks.items():
        arrays |= {f"{name}_W": stack.parameters.W.numpy(), f"{name}_b": stack.parameters.b.numpy()}
    result = {
        "represented_norm": geometry.REPRESENTED_NORM,
        "models": described,
        "controls": {"linear_represented": [level["n_represented"] for level in described["linear"]]},
        "acceptance": acceptance.to_json(grade(config, described)),
    }
    return result, arrays
