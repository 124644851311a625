"""Activations whose features are known: hidden states of a toy model, or sparse combinations of random directions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.metrics import matching
from scripts.monosem.toy import data, geometry, superposition_models
from scripts.monosem.toy.settings import SparseFeatures, SuperpositionConfig, Truth
from scripts.monosem.toy.theory import superposition

BLOCK = 8192
"""Samples made at a time, so that memory holds activations and not feature values."""


@dataclass(frozen=True)
class GroundTruth:
    """A source of activations h = Σ_i x_i g_i of which directions g_i and values x_i are known."""

    directions: Float[Tensor, "n d"]
    """Row i is g_i."""
    probability: Float[Tensor, " n"]
    """Probability that each feature is on."""
    sample: Callable[[int, Generator], Float[Tensor, "sample n"]]
    """Draws feature values."""
    described: dict[str, Any]
    """Kind, size and statistics of the source, for JSON."""

    def activations(self, n_samples: int, seed: int) -> Float[Tensor, "sample d"]:
        """Fresh activations, without their feature values."""
        generator = torch.Generator().manual_seed(seed)
        sizes = [min(BLOCK, n_samples - start) for start in range(0, n_samples, BLOCK)]
        return torch.cat([self.sample(size, generator) @ self.directions for size in sizes])

    def values(self, n_samples: int, seed: int) -> Float[Tensor, "sample n"]:
        """Fresh feature values; `values @ directions` are the activations."""
        return self.sample(n_samples, torch.Generator().manual_seed(seed))


def probabilities(config: SparseFeatures) -> Float[Tensor, " n"]:
    """p_i ∝ decay^i, together `active`."""
    weight = config.decay ** torch.arange(config.n, dtype=torch.float64)
    return (config.active * weight / weight.sum()).float()


def sample_correlated(
    probability: Float[Tensor, " n"], loadings: Float[Tensor, "n factor"], n_samples: int, generator: Generator
) -> Float[Tensor, "sample n"]:
    """Features that are on together: a Gaussian copula with common factors, strengths uniform on [0, 1].

    Feature i is on if z_i = l_i · u + √(1 − ‖l_i‖²) ε_i < Φ⁻¹(p_i), u and ε standard normal, so z_i is standard normal,
    p_i is exact, and z_i and z_j have correlation l_i · l_j. Given u, features are independent with probability
    Φ((Φ⁻¹(p_i) − l_i · u) / √(1 − ‖l_i‖²)), and one random number serves gate and value, as in `data.sample`.
    """
    u = torch.randn(n_samples, loadings.shape[1], generator=generator)
    independent = (1.0 - loadings.square().sum(1)).sqrt()
    conditional = torch.special.ndtr((torch.special.ndtri(probability) - u @ loadings.T) / independent)
    gate = torch.rand(n_samples, len(probability), generator=generator)
    return torch.where(gate < conditional, gate / conditional.clamp_min(torch.finfo(gate.dtype).tiny), 0.0)


def sparse_features(config: SparseFeatures, seed: int) -> GroundTruth:
    """Unit Gaussian directions and correlated, decaying feature probabilities."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "directions"))
    directions = torch.nn.functional.normalize(torch.randn(config.n, config.d, generator=generator), dim=1)
    loadings = torch.nn.functional.normalize(torch.randn(config.n, config.factors, generator=generator), dim=1)
    loadings = loadings * config.correlation**0.5
    p = probabilities(config)
    overlap = (loadings @ loadings.T).fill_diagonal_(0.0)
    return GroundTruth(
        directions,
        p,
        lambda n_samples, source: sample_correlated(p, loadings, n_samples, source),
        {
            "source": "sparse_features",
            "n": config.n,
            "d": config.d,
            "once_in_of_rarest": 1.0 / p.min().item(),
            "largest_correlation": overlap.abs().max().item(),
        },
    )


def toy_model(config: SuperpositionConfig, seed: int, device: str) -> GroundTruth:
    """Hidden states h = W x of a trained toy model in superposition; its directions are the columns of W."""
    stack = superposition_models.train_stack(config, "relu", seed, device)
    W = stack.parameters.W[0]
    p = torch.full((config.n,), config.probabilities[0])
    weights = superposition_models.importances(config)
    optimum = superposition.linear_optimum(np.full(config.n, config.probabilities[0]), weights, config.m)
    return GroundTruth(
        W.T.contiguous(),
        p,
        lambda n_samples, source: data.sample(p[None], n_samples, source)[0],
        {
            "source": "toy_model",
            "n": config.n,
            "d": config.m,
            "probability": config.probabilities[0],
            "loss_over_linear_optimum": stack.loss[0] / optimum,
            "n_represented": int(geometry.n_represented(W.numpy())),
            "min_norm": geometry.norms(W.numpy()).min(),
            "dimensions_per_feature": geometry.dimensions_per_feature(W.numpy()),
        },
    )


def largest_cosine(directions: Float[Tensor, "n d"]) -> float:
    """Largest cosine between two different features."""
    cosines = matching.cosine_matrix(directions.numpy(), directions.numpy())
    return float((cosines - 2.0 * np.eye(len(cosines))).max())


def make(truth: Truth, seed: int, device: str) -> GroundTruth:
    """The source that the settings name."""
    if truth.toy_model is not None:
        return toy_model(truth.toy_model, seed, device)
    return sparse_features(truth.sparse_features, seed)
