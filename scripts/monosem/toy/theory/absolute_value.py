"""Closed forms for toy models that compute, to grade trained ones against (float64, numpy)."""

import math

import numpy as np
from jaxtyping import Float

from scripts.monosem.toy.theory import superposition


def absolute_value_bound(p: Float[np.ndarray, " n"], importance: Float[np.ndarray, " n"], m: int) -> float:
    """Least loss of m hidden ReLUs on y = |x| if each of them serves one feature and reads one side of it.

    x_i is on with probability p_i, then uniform on [−1, 1], so |x_i| is distributed as in `theory`. Two neurons, +x and
    −x, compute |x_i| exactly; one neuron, the better side alone, leaves V₁ = v − (q²/4)²/v of the variance
    V₀ = 2 v − q²/2 (q = p/2 the probability of a side, v = q/3 − q²/4 the variance of x⁺). The second neuron of a
    feature saves (q²/2)(1 − q²/(4 v)) ≥ 0 more than the first, so that pairs on the features with the largest
    I_i V₀ are best: the bound is what is left of the others, at the best constant. For odd m the odd neuron is counted
    as if it made a feature exact, which keeps this a lower bound.
    """
    unexplained = np.sort(importance * superposition.feature_variance(p))[::-1]
    return float(unexplained[math.ceil(m / 2) :].sum())


def cross_entropy_of_group(group: int, features: int) -> float:
    """Least cross-entropy, in nats, of naming one of `features` equiprobable exclusive features from one binary neuron
    that fires on `group` of them: (g/n) ln g + ((n − g)/n) ln(n − g) (Bricken et al. 2023, 'Problem setup').

    n = 4: (3/4) ln 3 = 0.824 for a neuron of one feature, ln 2 = 0.693 for a polysemantic one of two.
    """
    rest = features - group
    return sum(size / features * math.log(size) for size in (group, rest) if size > 1)


def squared_error_of_group(group: int, features: int) -> float:
    """The same for the squared error of a one-hot target: Σ over both states of (size/n)(1 − 1/size).

    It is (n − 2)/n for every group from 1 to n − 1: the squared error has no preference.
    """
    return sum(size / features * (1.0 - 1.0 / size) for size in (group, features - group) if size)
