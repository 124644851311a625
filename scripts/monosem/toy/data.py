"""Sparse synthetic features: x_i is 0 with probability 1 − p_i, otherwise uniform on [0, 1] (Elhage et al. 2022).

Samples are made on the generator's device, where `probability` must lie too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor


@dataclass(frozen=True)
class Batch:
    """Weighted samples: an expectation is estimated by the weighted sum over the sample axis."""

    x: Float[Tensor, "instance sample n"]
    """Feature values."""
    weight: Float[Tensor, "instance sample"]
    """Non-negative, sums to one over the sample axis."""


def sample(
    probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator
) -> Float[Tensor, "instance sample n"]:
    """Independent features, each on with its own probability.

    One random number serves gate and value: given u < p, u / p is uniform on [0, 1] and independent of the gate.
    """
    instances, n = probability.shape
    u = torch.rand(instances, n_samples, n, generator=generator, device=generator.device)
    p = probability[:, None]
    return torch.where(u < p, u / p.clamp_min(torch.finfo(p.dtype).tiny), 0.0)


def probability_empty(probability: Float[Tensor, "instance n"]) -> Float[Tensor, " instance"]:
    """The probability that no feature is on, Π_i (1 − p_i), in float64."""
    return (1.0 - probability.double()).prod(-1)


def sample_non_empty(
    probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator
) -> Float[Tensor, "instance sample n"]:
    """The same distribution, conditioned on at least one feature being on.

    The index of the first feature that is on is drawn from its exact distribution, p_j Π_{i<j} (1 − p_i) over the
    probability that any is on; those before it are off, those after it independent.
    """
    instances, n = probability.shape
    p = probability.double()
    before = torch.cumprod(torch.cat([torch.ones_like(p[:, :1]), 1.0 - p[:, :-1]], dim=-1), dim=-1)
    cumulative = torch.cumsum(p * before, dim=-1)
    cumulative = cumulative / cumulative[:, -1:]
    draw = torch.rand(instances, n_samples, generator=generator, dtype=torch.float64, device=generator.device)
    first = torch.searchsorted(cumulative, draw, right=True).clamp_max(n - 1)[..., None]
    u = torch.rand(instances, n_samples, n, generator=generator, device=generator.device)
    on = probability[:, None]
    index = torch.arange(n, device=generator.device)
    x = torch.where((u < on) & (index > first), u / on.clamp_min(torch.finfo(on.dtype).tiny), 0.0)
    return torch.where(index == first, u, x)


def stratified_batch(probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator) -> Batch:
    """An unbiased batch that spends no sample on empty inputs.

    At p = 0.001 and n = 20, 98 % of independent samples are all zero and teach the same thing. Here the empty input is
    one sample that carries exactly its probability, and the other `n_samples` − 1 are drawn non-empty: the same
    expectation, far less noise, and random numbers only where something is on.
    """
    x = sample_non_empty(probability, n_samples - 1, generator)
    empty = probability_empty(probability).float()[:, None]
    rest = ((1.0 - empty) / (n_samples - 1)).expand(-1, n_samples - 1)
    return Batch(torch.cat([torch.zeros_like(x[:, :1]), x], dim=1), torch.cat([empty, rest], dim=1))


def enumerated_batch(probability: Float[np.ndarray, "instance n"], points: int, device: str = "cpu") -> Batch:
    """Every pattern of features that are on, each filled with a Gauss-Legendre grid: expectations without sampling.

    Exact for polynomials of degree below 2 · `points` in each value, so up to the kinks of a ReLU; (1 + points)^n
    samples, which all instances share (`x` has an instance axis of length one), weighted by each one's probabilities.
    """
    nodes, masses = np.polynomial.legendre.leggauss(points)
    nodes, masses = (nodes + 1.0) / 2.0, masses / 2.0
    # one feature: off, or on at one of the nodes
    values = np.concatenate([[0.0], nodes])
    p = np.asarray(probability, dtype=np.float64)[..., None]
    single = np.concatenate([1.0 - p, p * masses], axis=-1)
    n = p.shape[1]
    index = np.stack(np.meshgrid(*[np.arange(points + 1)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    weight = np.prod([single[:, feature, index[:, feature]] for feature in range(n)], axis=0)
    x, weight = (torch.tensor(array, dtype=torch.float32, device=device) for array in (values[index], weight))
    return Batch(x[None], weight)
