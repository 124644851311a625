"""Computing in superposition: y = |x| through fewer neurons than exactness needs (Elhage et al. 2022)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import absolute_value_model, acceptance, data, neuron_roles, training
from scripts.monosem.toy.settings import AbsoluteValueConfig
from scripts.monosem.toy.theory import absolute_value, superposition

BAR_UNEXPLAINED = 0.01
"""Of the loss of the best constant: less counts as computed exactly."""
BAR_MONOSEMANTIC_SPARSEST = 0.1
"""Largest share of monosemantic neurons at the sparsest level."""
INHIBITED = 0.25
"""A motif is inhibited if at most this share of its interference is left."""


def importances(config: AbsoluteValueConfig) -> Float[np.ndarray, " n"]:
    """Weight of each feature in the loss."""
    return superposition.importances(config.n, config.importance)


def constant_losses(config: AbsoluteValueConfig) -> Float[np.ndarray, " level"]:
    """Loss of the best constant at each level."""
    return superposition.constant_losses(config.probabilities, importances(config))


@dataclass(frozen=True)
class Stack:
    """The kept models of one kind of hidden layer, in float64 on the CPU."""

    W1: Float[np.ndarray, "level m n"]
    """Row k is what neuron k reads."""
    W2: Float[np.ndarray, "level n m"]
    """Column k is what neuron k writes."""
    b: Float[np.ndarray, "level n"]
    """Bias of the output."""
    loss: Float[np.ndarray, " level"]
    """On fresh samples, weighted by importance."""


def _train_levels(config: AbsoluteValueConfig, hidden: absolute_value_model.Hidden, seed: int, device: str) -> Stack:
    """Train all restarts of levels that share a learning rate at once, and keep the best of each level."""
    probability = data.level_probabilities(config.probabilities, config.n, device)
    importance = torch.tensor(importances(config), dtype=torch.float32, device=device)
    scale = torch.tensor(constant_losses(config), dtype=torch.float32, device=device)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))

    def relative_loss(parameters: absolute_value_model.Parameters, batch: data.Batch) -> Float[Tensor, "restart level"]:
        return absolute_value_model.loss(parameters, batch, importance, hidden) / scale

    def draw(n_samples: int, source: Generator) -> data.Batch:
        return absolute_value_model.signed_batch(probability, n_samples, source)

    parameters = training.train(
        absolute_value_model.initialise((config.restarts, len(config.probabilities)), config.n, config.m, generator),
        relative_loss,
        draw,
        training.Optimisation(config.steps, config.batch_size, config.learning_rates[0]),
        generator,
        f"steps, {hidden} hidden layer, learning rate {config.learning_rates[0]:g}",
    )
    fresh = torch.Generator(device).manual_seed(derive_seed(seed, "evaluate"))
    relative = training.evaluate(parameters, relative_loss, draw, config.evaluation_samples, fresh)
    kept = (tensor.double().numpy() for tensor in training.best_restarts(parameters, relative))
    return Stack(*kept, loss=relative.min(axis=0) * constant_losses(config))


def train_stack(config: AbsoluteValueConfig, hidden: absolute_value_model.Hidden, seed: int, device: str) -> Stack:
    """Every level's best model, in the order of the levels; those with one learning rate train together."""
    rates = np.array(config.learning_rates)
    order, stacks = [], []
    for rate in dict.fromkeys(config.learning_rates):
        levels = np.flatnonzero(rates == rate)
        order += levels.tolist()
        part = replace(
            config,
            probabilities=tuple(config.probabilities[level] for level in levels),
            learning_rates=(rate,) * len(levels),
        )
        stacks.append(_train_levels(part, hidden, derive_seed(seed, f"{rate:g}"), device))
    back = np.argsort(order)
    fields = (np.concatenate([getattr(stack, name) for stack in stacks])[back] for name in ("W1", "W2", "b", "loss"))
    return Stack(*fields)


def describe(config: AbsoluteValueConfig, stack: Stack) -> list[dict[str, Any]]:
    """Measurements of each level's kept model."""
    constants = constant_losses(config)
    levels = []
    for level, p in enumerate(config.probabilities):
        W1, W2 = absolute_value_model.rescaled(stack.W1[level], stack.W2[level])
        kept = neuron_roles.alive(W1, W2)
        motifs = neuron_roles.asymmetric_motifs(W1, W2)
        inhibited = [motif for motif in motifs if motif.net <= INHIBITED * motif.interference]
        bound = absolute_value.absolute_value_bound(np.full(config.n, p), importances(config), config.m)
        sides = (W2.T * np.abs(W1))[kept]
        levels.append(
            {
                "probability": p,
                "loss": stack.loss[level],
                "unexplained": stack.loss[level] / constants[level],
                "loss_without_superposition": bound,
                "loss_over_bound": stack.loss[level] / bound if bound else None,
                "n_alive": int(kept.sum()),
                "monosemantic_share": neuron_roles.monosemantic_share(W1, W2),
                "n_features_computed": int((sides >= 0.5).any(axis=0).sum()),
                "n_motifs": len(motifs),
                "n_motifs_inhibited": len(inhibited),
                "motifs": [motif._asdict() for motif in motifs],
            }
        )
    return levels


def grade(config: AbsoluteValueConfig, described: dict[str, list[dict[str, Any]]]) -> acceptance.Rules:
    """Acceptance rules: exact with two neurons per feature, otherwise neurons are shared where it is sparse."""
    levels = sorted(described["relu"], key=lambda level: -level["probability"])
    linear = sorted(described["linear"], key=lambda level: -level["probability"])
    if config.m >= 2 * config.n:
        return {
            "unexplained": acceptance.below(max(level["unexplained"] for level in levels), BAR_UNEXPLAINED),
            "monosemantic_share": acceptance.equal(min(level["monosemantic_share"] for level in levels), 1.0),
            "linear_hidden_fails": acceptance.at_least(min(level["unexplained"] for level in linear), BAR_UNEXPLAINED),
        }
    shares = [level["monosemantic_share"] for level in levels]
    rise = max((after - before for before, after in zip(shares, shares[1:], strict=False)), default=0.0)
    return {
        "dense_monosemantic_share": acceptance.equal(shares[0], 1.0),
        "sparsest_monosemantic_share": acceptance.at_most(shares[-1], BAR_MONOSEMANTIC_SPARSEST),
        "largest_rise_of_share": acceptance.at_most(rise, 0.0),
        "sparsest_loss_over_bound": acceptance.below(levels[-1]["loss_over_bound"], 1.0),
        "linear_hidden_fails_bound": acceptance.at_least(linear[-1]["loss_over_bound"], 1.0),
    }


def run(config: AbsoluteValueConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train the model and, as control, one with a linear hidden layer at the densest and the sparsest level.

    Returns the result as JSON values, and the rescaled weights `W1`, `W2`, `b` of the ReLU models.
    """
    ends = sorted({int(np.argmax(config.probabilities)), int(np.argmin(config.probabilities))})
    control = replace(
        config,
        probabilities=tuple(config.probabilities[level] for level in ends),
        learning_rates=tuple(config.learning_rates[level] for level in ends),
    )
    stack = train_stack(config, "relu", seed, device)
    described = {
        "relu": describe(config, stack),
        "linear": describe(control, train_stack(control, "linear", seed, device)),
    }
    weights = [absolute_value_model.rescaled(*pair) for pair in zip(stack.W1, stack.W2, strict=True)]
    # the same W1 with W2's columns permuted: motifs that chance would give
    rng = np.random.default_rng(derive_seed(seed, "shuffle"))
    permuted = [neuron_roles.asymmetric_motifs(W1, W2[:, rng.permutation(config.m)]) for W1, W2 in weights]
    result = {
        "monosemantic_from": neuron_roles.MONOSEMANTIC,
        "models": described,
        "controls": {
            "linear_loss_over_bound": [level["loss_over_bound"] for level in described["linear"]],
            "n_motifs_shuffled": [len(motifs) for motifs in permuted],
        },
        "most_motifs": max(level["n_motifs"] for level in described["relu"]),
        "most_motifs_shuffled": max(len(motifs) for motifs in permuted),
        "acceptance": acceptance.to_json(grade(config, described)),
    }
    arrays = {
        "probabilities": np.array(config.probabilities),
        "W1": np.array([pair[0] for pair in weights]),
        "W2": np.array([pair[1] for pair in weights]),
        "b": stack.b,
    }
    return result, arrays
