"""A ReLU on the hidden layer makes neurons meaningful: features alone in a neuron, or shared (Elhage et al. 2022,
'Superposition in a privileged basis')."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, neuron_roles, training
from scripts.monosem.toy.settings import PrivilegedBasisConfig
from scripts.monosem.toy.theory import superposition

LINKED = 0.1
"""A neuron and feature i are linked if the neuron has at least this share of ‖W_i‖²."""
PUBLISHED = ((0.5, 1.0, (1, 1)), (0.2, 0.49, (3, 2)), (0.15, 0.15, (5, 3)), (0.12, 0.12, (6, 4)), (0.05, 0.08, (8, 5)))
"""Range of probabilities -> (features, neurons) of the largest group, printed in the paper for n = 10, m = 5 and
importance 0.75^i."""


def groups(W: Float[np.ndarray, "m n"]) -> list[tuple[int, int]]:
    """(features, neurons) of each set of represented features that share neurons, largest first.

    Sets are connected components of the graph that links features and neurons (LINKED).
    """
    m, n = W.shape
    linked = (W**2 >= LINKED * (W**2).sum(axis=0)) & (geometry.norms(W) > geometry.REPRESENTED_NORM)
    neurons, features = np.nonzero(linked)
    links = coo_array((np.ones(len(neurons)), (neurons, m + features)), shape=(m + n, m + n))
    _, label = connected_components(links, directed=False)
    sizes = [
        (int((label[m:] == component).sum()), int((label[:m] == component).sum())) for component in np.unique(label[:m])
    ]
    return sorted((pair for pair in sizes if pair[0]), reverse=True)


def in_words(sets: list[tuple[int, int]]) -> str:
    """[(3, 2), (1, 1), (1, 1)] -> '3 in 2, 2 × 1 in 1'."""
    counts = {pair: sets.count(pair) for pair in dict.fromkeys(sets)}
    return ", ".join((f"{count} × " if count > 1 else "") + f"{a} in {b}" for (a, b), count in counts.items())


def published(p: float) -> tuple[int, int] | None:
    """The largest group that the paper reports at this probability, if it reports one."""
    return next((group for low, high, group in PUBLISHED if low <= p <= high), None)


def train_stack(
    config: PrivilegedBasisConfig, relu: bool, seed: int, device: str
) -> tuple[models.Parameters, Float[np.ndarray, "level restart"]]:
    """All restarts of all levels at once: the best of each level, on the CPU, and losses over the best constant's."""
    probability = data.level_probabilities(config.probabilities, config.n, device)
    importances = superposition.importances(config.n, config.importance)
    importance = torch.tensor(importances, dtype=torch.float32, device=device)
    constants = superposition.constant_losses(config.probabilities, importances)
    scale = torch.tensor(constants, dtype=torch.float32, device=device)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))
    start = models.initialise((config.restarts, len(config.probabilities)), config.n, config.m, generator)

    def relative_loss(parameters: models.Parameters, batch: data.Batch) -> Float[Tensor, "restart level"]:
        return models.reconstruction_loss(parameters, batch, importance, "relu", relu_hidden=relu) / scale

    def draw(n_samples: int, source: Generator) -> data.Batch:
        return data.stratified_batch(probability, n_samples, source)

    parameters = training.train(
        # a neuron whose weights are all negative would never fire, as x ≥ 0; the control starts from the same weights
        models.Parameters(start.W.abs(), start.b),
        relative_loss,
        draw,
        training.Optimisation(config.steps, config.batch_size, config.learning_rate),
        generator,
        f"steps, {'ReLU' if relu else 'linear'} hidden layer",
    )
    fresh = torch.Generator(device).manual_seed(derive_seed(seed, "evaluate"))
    losses = training.evaluate(parameters, relative_loss, draw, config.evaluation_samples, fresh)
    return training.best_restarts(parameters, losses), losses.T


def describe(
    config: PrivilegedBasisConfig, parameters: models.Parameters, losses: Float[np.ndarray, "level restart"]
) -> list[dict[str, Any]]:
    """Measurements of each level's kept model."""
    levels = []
    for level, p in enumerate(config.probabilities):
        W = parameters.W[level].double().numpy()
        sets = groups(W)
        kept = W[:, geometry.norms(W) > geometry.REPRESENTED_NORM]
        pure = neuron_roles.purity(kept) >= neuron_roles.MONOSEMANTIC if kept.size else np.zeros(config.m, bool)
        levels.append(
            {
                "probability": p,
                "unexplained": losses[level].min(),
                "n_represented": int(geometry.n_represented(W)),
                "n_monosemantic": int((pure & (np.abs(W).max(axis=1) > 0.1)).sum()),
                "groups": sets,
                "solution": in_words(sets),
                "published_group": published(p),
            }
        )
    return levels


def n_as_published(levels: list[dict[str, Any]], solved: list[dict[str, Any]]) -> int:
    """Number of levels for which the paper names a solution and `solved`, in the same order, has that one."""
    pairs = zip(levels, solved, strict=True)
    return sum(
        bool(level["published_group"]) and model["groups"][:1] == [level["published_group"]] for level, model in pairs
    )


def grade(config: PrivilegedBasisConfig, described: dict[str, list[dict[str, Any]]]) -> acceptance.Rules:
    """Acceptance rules: neurons of one feature where it is dense, shared ones where it is sparse."""
    levels = sorted(described["relu"], key=lambda level: -level["probability"])
    dense, sparse = levels[0], levels[-1]
    control = max(described["linear"], key=lambda level: level["probability"])
    mono = [level["n_monosemantic"] for level in levels]
    represented = [level["n_represented"] for level in levels]
    rise = max(after - before for before, after in zip(mono, mono[1:], strict=False)) if len(mono) > 1 else 0
    fall = max(b - a for b, a in zip(represented, represented[1:], strict=False)) if len(mono) > 1 else 0
    m = config.m
    named = sum(bool(level["published_group"]) for level in levels)
    return {
        "solutions_as_published": acceptance.equal(n_as_published(levels, levels), named),
        "reversed_solutions_as_published": acceptance.below(n_as_published(levels, levels[::-1]), named),
        "dense_monosemantic_neurons": acceptance.equal(dense["n_monosemantic"], m),
        "dense_features_represented": acceptance.equal(dense["n_represented"], m),
        "sparsest_monosemantic_neurons": acceptance.equal(sparse["n_monosemantic"], 0),
        "sparsest_features_represented": acceptance.above(sparse["n_represented"], m),
        "largest_rise_of_monosemantic_neurons": acceptance.at_most(rise, 0),
        "largest_fall_of_features_represented": acceptance.at_most(fall, 0),
        "linear_hidden_is_not_aligned": acceptance.below(control["n_monosemantic"], m),
    }


def run(config: PrivilegedBasisConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train with a ReLU on the hidden layer and, as control, without one at the densest level.

    Returns the result as JSON values, and weights and losses of every level.
    """
    parameters, losses = train_stack(config, True, seed, device)
    densest = replace(config, probabilities=(max(config.probabilities),))
    described = {
        "relu": describe(config, parameters, losses),
        "linear": describe(densest, *train_stack(densest, False, seed, device)),
    }
    result = {
        "models": described,
        "controls": {"linear_monosemantic": [level["n_monosemantic"] for level in described["linear"]]},
        "acceptance": acceptance.to_json(grade(config, described)),
    }
    return result, {"probabilities": np.array(config.probabilities), "W": parameters.W.numpy(), "losses": losses}
