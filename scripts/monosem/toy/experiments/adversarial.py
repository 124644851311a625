"""Superposition makes a model vulnerable: an attack along one output reaches it through all features that share its
directions (Elhage et al. 2022, 'The connection to adversarial examples')."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.settings import AdversarialConfig

BAR_RATIO = 3.0
"""Least vulnerability of the sparsest level over that of the densest."""
BAR_RANK = 0.95
"""Least Spearman correlation of vulnerability with features per dimension."""
BAR_PROPORTION = 1.5
"""Largest vulnerability per feature per dimension over the smallest, over levels: 1 where they are proportional."""
ORTHOGONAL_TOLERANCE = 0.05
"""Largest distance of the orthogonal model's vulnerability from 1."""
BAR_ROBUST = 1.1
"""Most features per dimension after adversarial training."""


def attack_directions(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance n n"]:
    """Row i is the unit input along which output i rises most: (WᵀW)_i / ‖(WᵀW)_i‖, 0 for a feature without weights."""
    gram = W.mT @ W
    return gram / torch.linalg.vector_norm(gram, dim=-1, keepdim=True).clamp_min(1e-12)


def mean_norm(batch: data.Batch) -> Float[Tensor, " instance"]:
    """E‖x‖."""
    return (torch.linalg.vector_norm(batch.x, dim=-1) * batch.weight).sum(-1)


def vulnerability(
    W: Float[Tensor, "m n"],
    b: Float[Tensor, " n"],
    x: Float[Tensor, "sample n"],
    weight: Float[Tensor, " sample"],
    epsilon: float,
) -> float:
    """(L' − L) / (L'₀ − L₀) under the worst of the n analytic attacks, added to every input.

    The orthogonal model in the denominator passes an attack on its feature straight through: L'₀ − L₀ = ε².
    """
    parameters = models.Parameters(W, b)
    unharmed = ((models.forward(parameters, x, "relu") - x).square().sum(-1) * weight).sum()
    pre = models.hidden(W, x) @ W + b
    shifts = epsilon * attack_directions(W) @ W.mT @ W
    harmed = torch.stack([((torch.relu(pre + shift) - x).square().sum(-1) * weight).sum() for shift in shifts])
    return ((harmed.max() - unharmed) / epsilon**2).item()


def adversarial_loss(
    lengths: Float[Tensor, " level"], source: Generator
) -> Callable[[models.Parameters, data.Batch], Float[Tensor, " level"]]:
    """E‖x − x'(x + δ)‖² with an analytic attack of the level's length on one random output per sample."""

    def loss(parameters: models.Parameters, batch: data.Batch) -> Float[Tensor, " level"]:
        levels, samples, n = batch.x.shape
        with torch.no_grad():
            directions = attack_directions(parameters.W)
            output = torch.randint(n, (levels, samples), generator=source, device=batch.x.device)
            delta = lengths[:, None, None] * directions.gather(1, output[..., None].expand(-1, -1, n))
        W, x = parameters.W, batch.x
        return models.two_layer_loss(W, W, parameters.b, x + delta, x, batch.weight, None, False, True)

    return loss


def orthogonal(config: AdversarialConfig, p: float) -> models.Parameters:
    """The model without superposition: m features pass through, the others are given by their mean."""
    W = torch.zeros(config.m, config.n)
    W[:, : config.m] = torch.eye(config.m)
    b = torch.full((config.n,), p / 2.0)
    b[: config.m] = 0.0
    return models.Parameters(W, b)


def describe(
    config: AdversarialConfig, trained: dict[str, models.Parameters], batch: data.Batch
) -> dict[str, list[dict[str, Any]]]:
    """Vulnerability and 1/D* of every model of every set, on the same samples."""
    norms = mean_norm(batch)
    described = {}
    for name, parameters in trained.items():
        described[name] = []
        for level, p in enumerate(config.probabilities):
            W, b = parameters.W[level], parameters.b[level]
            epsilon = config.attack * norms[level].item()
            described[name].append(
                {
                    "probability": p,
                    "epsilon": epsilon,
                    "vulnerability": vulnerability(W, b, batch.x[level], batch.weight[level], epsilon),
                    "features_per_dimension": 1.0 / geometry.dimensions_per_feature(W.numpy()),
                    "n_represented": int(geometry.n_represented(W.numpy())),
                }
            )
    return described


def disproportion(vulnerable: list[float], features: list[float]) -> float:
    """Largest ratio of two levels' vulnerability per feature per dimension."""
    per_feature = np.array(vulnerable) / np.array(features)
    return float(per_feature.max() / per_feature.min())


def grade(described: dict[str, list[dict[str, Any]]]) -> acceptance.Rules:
    """Acceptance rules: vulnerability grows with superposition, and stays at one without it."""
    plain = sorted(described["plain"], key=lambda level: -level["probability"])
    values = [level["vulnerability"] for level in plain]
    ratio = values[-1] / values[0]
    features = [level["features_per_dimension"] for level in plain]
    rank = float(spearmanr(values, features).statistic)
    orthogonal = [level["vulnerability"] for level in described["orthogonal"]]
    flat = max(abs(level["vulnerability"] - 1.0) for level in described["orthogonal"])
    rules = {
        "sparsest_over_densest": acceptance.above(ratio, BAR_RATIO),
        "rank_correlation_with_features_per_dimension": acceptance.above(rank, BAR_RANK),
        "proportional_to_features_per_dimension": acceptance.at_most(disproportion(values, features), BAR_PROPORTION),
        "orthogonal_model_stays_at_one": acceptance.below(flat, ORTHOGONAL_TOLERANCE),
        "orthogonal_model_is_not_proportional": acceptance.above(disproportion(orthogonal, features), BAR_PROPORTION),
    }
    if "adversarial" in described:
        trained = max(level["features_per_dimension"] for level in described["adversarial"])
        rules["adversarial_training_removes_superposition"] = acceptance.at_most(trained, BAR_ROBUST)
    return rules


def run(config: AdversarialConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train plainly and against attacks; attack both, and the orthogonal model as control.

    Returns the result as JSON values, and the weights `plain_W`, … of every set.
    """
    probability = data.level_probabilities(config.probabilities, config.n, device)
    importance = torch.ones(config.n, device=device)
    held_out = data.stratified_batch(
        probability, config.evaluation_samples, torch.Generator(device).manual_seed(derive_seed(seed, "evaluate"))
    )
    losses = {"plain": lambda parameters, batch: models.reconstruction_loss(parameters, batch, importance, "relu")}
    if config.training_attack:
        attacks = torch.Generator(device).manual_seed(derive_seed(seed, "attacks"))
        losses["adversarial"] = adversarial_loss(config.training_attack * mean_norm(held_out), attacks)
    trained = {}
    for name, loss in losses.items():
        generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))
        parameters = training.train(
            models.initialise((len(config.probabilities),), config.n, config.m, generator),
            loss,
            lambda n_samples, source: data.stratified_batch(probability, n_samples, source),
            training.Optimisation(config.steps, config.batch_size, config.learning_rate),
            generator,
            f"steps, {name}",
        )
        trained[name] = models.Parameters(*(tensor.cpu() for tensor in parameters))
    trained["orthogonal"] = models.Parameters(
        *(torch.stack(group) for group in zip(*(orthogonal(config, p) for p in config.probabilities), strict=True))
    )
    described = describe(config, trained, data.Batch(held_out.x.cpu(), held_out.weight.cpu()))
    result = {
        "models": described,
        "controls": {"orthogonal_vulnerability": [level["vulnerability"] for level in described["orthogonal"]]},
        "acceptance": acceptance.to_json(grade(described)),
    }
    return result, {f"{name}_W": parameters.W.numpy() for name, parameters in trained.items()}
