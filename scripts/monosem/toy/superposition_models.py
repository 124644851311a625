"""Training of toy models of superposition: all restarts of all levels of sparsity as one stack."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import data, models, training
from scripts.monosem.toy.settings import SuperpositionConfig
from scripts.monosem.toy.theory import superposition


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
