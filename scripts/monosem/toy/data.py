"""Sparse synthetic features: x_i is 0 with probability 1 − p_i, otherwise uniform on [0, 1] (Elhage et al. 2022).

Samples are made on the generator's device, on which `probability` must be too.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from scripts.monosem.toy import kernels
from scripts.monosem.toy.settings import LogRange

Relation = Literal["correlated", "anticorrelated", "independent"]
"""The way in which the members of a set of features go together."""


@dataclass(frozen=True)
class Batch:
    """Weighted samples: an expectation is estimated by the weighted sum over the sample axis."""

    x: Float[Tensor, "*shared sample n"]
    """Feature values; leading axes of length one, or none, are shared by all instances."""
    weight: Float[Tensor, "*instance sample"]
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


def level_probabilities(probabilities: Sequence[float], n: int, device: str) -> Float[Tensor, "level n"]:
    """One level per probability, at which all n features have it."""
    return torch.tensor(probabilities, device=device)[:, None].expand(-1, n).contiguous()


def log_spaced(levels: LogRange) -> Float[np.ndarray, " level"]:
    """Values evenly spaced in the logarithm from low to high."""
    return np.geomspace(levels.low, levels.high, levels.levels)


def probability_empty(probability: Float[Tensor, "instance n"]) -> Float[Tensor, " instance"]:
    """The probability that no feature is on, Π_i (1 − p_i), in float64."""
    return (1.0 - probability.double()).prod(-1)


def stratified_batch(probability: Float[Tensor, "instance n"], n_samples: int, generator: Generator) -> Batch:
    """An unbiased batch that spends no sample on empty inputs.

    At p = 0.001 and n = 20, 98 % of independent samples are all zero and teach the same thing. Here the empty input is
    one sample that carries exactly its probability, and the other `n_samples` − 1 are drawn from the same distribution
    conditioned on at least one feature being on: the same expectation, far less noise.

    The index of the first feature that is on is drawn from its exact distribution, p_j Π_{i<j} (1 − p_i) over the
    probability that any is on; those before it are off, those after it independent.
    """
    instances, n = probability.shape
    p, device = probability.double(), generator.device
    before = torch.cumprod(torch.cat([torch.ones_like(p[:, :1]), 1.0 - p[:, :-1]], dim=-1), dim=-1)
    cumulative = torch.cumsum(p * before, dim=-1)
    cumulative = cumulative / cumulative[:, -1:]
    draw = torch.rand(instances, n_samples - 1, generator=generator, dtype=torch.float64, device=device)
    first = torch.searchsorted(cumulative, draw, right=True).clamp_max(n - 1)
    u = torch.rand(instances, n_samples - 1, n, generator=generator, device=device)
    x = u.new_zeros(instances, n_samples, n)
    fill_non_empty(u, probability, first, x[:, 1:])
    empty = probability_empty(probability).float()[:, None]
    rest = ((1.0 - empty) / (n_samples - 1)).expand(-1, n_samples - 1)
    return Batch(x, torch.cat([empty, rest], dim=1))


def fill_non_empty(
    u: Float[Tensor, "instance sample n"],
    probability: Float[Tensor, "instance n"],
    first: Int[Tensor, "instance sample"],
    x: Float[Tensor, "instance sample n"],
) -> None:
    """Write into x: 0 before the first feature that is on, u there, and after it u / p where u < p."""
    if u.is_cpu:
        on = probability.contiguous()
        kernels.fill(u.numpy(), on.numpy(), on.reciprocal().numpy(), first.numpy(), x.numpy())
        return
    on, index = probability[:, None], torch.arange(u.shape[-1], device=u.device)
    later = (u < on) & (index > first[..., None])
    x.copy_(torch.where(index == first[..., None], u, torch.where(later, u / on, 0.0)))


def sets_batch(
    probability: Float[Tensor, " instance"],
    sets: int,
    size: int,
    relation: Relation,
    n_samples: int,
    generator: Generator,
) -> Batch:
    """Features in sets of equal size, in order, weighted as in `stratified_batch`.

    Correlated: one gate of the given probability switches a whole set, whose members' values are independent.
    Anticorrelated: if the gate is on, exactly one random member is. Independent, the control: every feature has a gate
    of its own.
    """
    per_set = probability[:, None].expand(-1, sets * size if relation == "independent" else sets).contiguous()
    gates = stratified_batch(per_set, n_samples, generator)
    if relation == "independent":
        return gates
    on = (gates.x > 0).repeat_interleave(size, dim=-1)
    values = torch.rand(on.shape, generator=generator, device=generator.device)
    if relation == "anticorrelated":
        shape = (*gates.x.shape, 1)
        member = torch.randint(size, shape, generator=generator, device=generator.device)
        on &= (torch.arange(size, device=generator.device) == member).flatten(-2)
    return Batch(torch.where(on, values, 0.0), gates.weight)


def nested_batch(probability: Float[Tensor, " instance"], n: int, n_samples: int, generator: Generator) -> Batch:
    """Independent samples of n equally probable features, from one set of random numbers for all instances.

    1 − u / p is positive with probability p and then uniform on [0, 1]; instances of greater p see the same features
    on, and more. Drawing random numbers for each instance would take as long as training on them.
    """
    u = torch.rand(n_samples, n, generator=generator, device=generator.device)
    x = torch.addcmul(u.new_ones(()), u, probability[:, None, None].reciprocal(), value=-1.0).relu_()
    return Batch(x, x.new_full(x.shape[:2], 1.0 / n_samples))


def ordered_nodes(k: int, points: int) -> tuple[Float[np.ndarray, "node k"], Float[np.ndarray, " node"]]:
    """Nodes and masses of a rule on 0 ≤ v_1 ≤ … ≤ v_k ≤ 1, a k!-th of the cube.

    The largest value is t_k, the next t_k t_{k−1}, …, with t on a Gauss-Legendre grid: exact for polynomials of total
    degree up to 2 · `points` − k.
    """
    nodes, masses = np.polynomial.legendre.leggauss(points)
    t = np.array(list(itertools.product((nodes + 1.0) / 2.0, repeat=k)))
    values = np.cumprod(t[:, ::-1], axis=1)[:, ::-1]
    mass = np.prod(list(itertools.product(masses / 2.0, repeat=k)), axis=1)
    return values, mass * values[:, 1:].prod(axis=1)


def enumerated_batch(
    probability: Float[np.ndarray, "instance n"], points: int | Sequence[int], device: str = "cpu"
) -> Batch:
    """Every pattern of features that are on, in every order of their values: expectations without sampling.

    A ReLU that compares two features has its kink where they are equal, between two orders, and not inside of one: the
    losses of ideal arrangements with digons are exact from two `points` per value on (three where three features are
    on). Where trained models have the kink elsewhere, more points make the error small. `points` may depend on how many
    features are on: the first number is for one, the next for two, … All instances share the samples (`x` has an
    instance axis of length one) and weight them by their own probabilities.
    """
    p = np.asarray(probability, dtype=np.float64)
    n = p.shape[1]
    per_count = [points] * n if isinstance(points, int) else list(points)
    samples, weights = [np.zeros((1, n))], [np.prod(1.0 - p, axis=1, keepdims=True)]
    for k in range(1, n + 1):
        values, mass = ordered_nodes(k, per_count[k - 1])
        for order in itertools.permutations(range(n), k):
            x = np.zeros((len(values), n))
            x[:, order] = values
            on = np.isin(np.arange(n), order)
            samples.append(x)
            weights.append(np.where(on, p, 1.0 - p).prod(axis=1)[:, None] * mass)
    x, weight = np.concatenate(samples), np.concatenate(weights, axis=1)
    x, weight = (torch.tensor(array, dtype=torch.float32, device=device) for array in (x, weight))
    return Batch(x[None], weight)
