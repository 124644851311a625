"""Geometry of uniform superposition: equally important features over sparsity arrange themselves in polytopes.

D* = m / ‖W‖²_F against 1/p sticks at 1 and 1/2, and the features' D_i gather at the fractions of regular polytopes
(Elhage et al. 2022, "The Geometry of Superposition").
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, polytopes, training
from scripts.monosem.toy.settings import UniformGeometryConfig
from scripts.monosem.toy.theory import superposition

HALF_TOLERANCE = 0.03
"""|D* − 1/2| within which a level is at one half."""
BAR_HALF_LEVELS = 3
"""Least number of levels at one half."""
BAR_STICKS = 2.0
"""Least number of levels at one half over those that D* passes it with when it falls evenly between its ends."""
BAR_POLYTOPES = 0.5
"""Least share of the features in superposition that are in polytopes, and of those in larger components."""
SUPERPOSED_BELOW = 0.95
"""Levels of a D* below this count as in superposition; the lines are looked for in them."""
SMALLEST_D = 0.1
"""Features of a smaller D_i are not represented."""
SUM_TOLERANCE = 0.05
"""Relative gap of Σ D_i to m."""
JITTER = 0.05
"""Half width of the noise on D_i in a control."""
IDEAL_TOLERANCE = 1e-12
"""Of D_i of ideal polytopes."""


def level_probabilities(config: UniformGeometryConfig) -> Float[np.ndarray, " level"]:
    """Feature-on probability of each level, densest first."""
    return 1.0 / data.log_spaced(config.inverse_probabilities)


def start(config: UniformGeometryConfig, generator: torch.Generator) -> models.Parameters:
    """Normal weights of the stated size and zero biases, a model per level."""
    begun = models.initialise((config.inverse_probabilities.levels,), config.n, config.m, generator)
    return begun._replace(W=begun.W * (config.initial_std / (2.0 / (config.n + config.m)) ** 0.5))


def train(config: UniformGeometryConfig, seed: int, device: str) -> models.Parameters:
    """All levels at once; parameters on the CPU."""
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "train"))
    probabilities = level_probabilities(config)
    p = torch.tensor(probabilities, dtype=torch.float32, device=device)
    scale = torch.tensor(config.n * superposition.feature_variance(probabilities), dtype=torch.float32, device=device)
    trained = training.train(
        start(config, generator),
        lambda parameters, batch: models.reconstruction_loss(parameters, batch, None, "relu") / scale,
        lambda n_samples, source: data.nested_batch(p, config.n, n_samples, source),
        training.Optimisation(config.steps, config.batch_size, config.learning_rate),
        generator,
    )
    return models.Parameters(*(tensor.cpu() for tensor in trained))


def gathered(
    D: Float[np.ndarray, "level n"], superposed: Bool[np.ndarray, " level"]
) -> dict[str, dict[str, int | bool]]:
    """Lines among the represented features of the levels in superposition."""
    values = D[superposed]
    lines = polytopes.lines(values[values >= SMALLEST_D])
    return {name: {"at": line.at, "beside": line.beside, "found": line.present} for name, line in lines.items()}


def n_lines(lines: dict[str, dict[str, Any]]) -> int:
    """Number of fractions that have a line."""
    return sum(line["found"] for line in lines.values())


def n_at_half(per_feature: Float[np.ndarray, " level"]) -> int:
    """Number of levels with two features per dimension."""
    return int((np.abs(per_feature - 0.5) <= HALF_TOLERANCE).sum())


def falls_evenly(per_feature: Float[np.ndarray, " level"]) -> Float[np.ndarray, " level"]:
    """D* that goes from the densest level's to the sparsest one's by equal factors: without any plateau."""
    return np.geomspace(per_feature[0], per_feature[-1], len(per_feature))


def in_larger(census: dict[str, int]) -> dict[str, float]:
    """Shares of features in polytopes: of all, and of those that are neither alone nor in a digon."""
    larger = sum(census.values()) - census["alone"] - census["digon"]
    named = larger - census["none"]
    return {
        "share_in_polytopes": (census["digon"] + named) / max(1, sum(census.values())),
        "share_of_larger_in_polytopes": named / max(1, larger),
    }


def ideal_error() -> float:
    """Largest deviation of D_i from its fraction over all ideal polytopes and their tegum product."""
    ideals = {name: superposition.polytope(name) for name in superposition.POLYTOPE_DIMENSIONALITY}
    errors = [
        np.abs(geometry.dimensionality(W) - superposition.POLYTOPE_DIMENSIONALITY[name]).max()
        for name, W in ideals.items()
    ]
    product = superposition.tegum_product(*ideals.values())
    fractions = np.concatenate(
        [np.full(W.shape[1], superposition.POLYTOPE_DIMENSIONALITY[name]) for name, W in ideals.items()]
    )
    return float(max(*errors, np.abs(geometry.dimensionality(product) - fractions).max()))


def accept(values: dict[str, Any], controls: dict[str, Any], levels: list[dict[str, Any]]) -> acceptance.Rules:
    """Acceptance rules, and that what has no geometry shows none of it."""

    lines = values["lines"]
    others = [name for name in ("3/4", "2/3", "2/5", "3/8") if lines[name]["found"]]
    gaps = [abs(level["sum_dimensionality"] / level["m"] - 1.0) for level in levels]
    even = controls["even"]["levels_at_one_half"]
    rules = {
        "levels_at_one_half": acceptance.at_least(
            values["levels_at_one_half"], max(BAR_HALF_LEVELS, BAR_STICKS * even)
        ),
        "line_at_one_half": acceptance.equal(lines["1/2"]["found"], True),
        "lines_at_other_fractions": acceptance.at_least(len(others), 1),
        "share_in_polytopes": acceptance.at_least(values["share_in_polytopes"], BAR_POLYTOPES),
        "share_of_larger_in_polytopes": acceptance.at_least(values["share_of_larger_in_polytopes"], BAR_POLYTOPES),
        "sum_of_dimensionalities_relative_gap": acceptance.at_most(max(gaps), SUM_TOLERANCE),
        "ideal_polytopes_error": acceptance.at_most(ideal_error(), IDEAL_TOLERANCE),
    }
    for name in ("untrained", "jittered", "uniform"):
        rules[f"{name}_has_no_lines"] = acceptance.equal(controls[name]["n_lines"], 0)
    for name in ("share_in_polytopes", "share_of_larger_in_polytopes"):
        rules[f"random_{name}"] = acceptance.below(controls["random"][name], BAR_POLYTOPES)
    return rules


def run(config: UniformGeometryConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train all levels; arrays hold W [level, m, n], D [level, n] and polytopes as indices (−1: none)."""
    parameters = train(config, seed, device)
    W = parameters.W.double().numpy()
    D, per_feature = geometry.dimensionality(W), geometry.dimensions_per_feature(W)
    superposed = per_feature < SUPERPOSED_BELOW
    names = ("alone", *superposition.POLYTOPE_DIMENSIONALITY)
    membership = np.full((len(W), config.n), -1)
    levels = []
    for index, p in enumerate(level_probabilities(config)):
        parts = polytopes.components(W[index])
        for component in parts:
            if component.name:
                membership[index, component.features] = names.index(component.name)
        levels.append(
            {
                "probability": p,
                "m": config.m,
                "dimensions_per_feature": per_feature[index],
                "sum_dimensionality": D[index].sum(),
                "n_represented": int(geometry.n_represented(W[index])),
                "features_in": polytopes.census(parts),
            }
        )
    untrained = start(config, torch.Generator().manual_seed(derive_seed(seed, "untrained"))).W.numpy()
    rng = np.random.default_rng(derive_seed(seed, "controls"))
    random = {
        "untrained": geometry.dimensionality(untrained),
        "jittered": D + rng.uniform(-JITTER, JITTER, D.shape),
        "uniform": rng.uniform(SMALLEST_D, 1.0, D.shape),
    }
    controls: dict[str, Any] = {}
    for name, values in random.items():
        lines = gathered(values, superposed)
        controls[name] = {"n_lines": n_lines(lines), "lines": lines}
    totals = {
        name: sum(level["features_in"][name] for level in np.array(levels)[superposed]) for name in (*names, "none")
    }
    # as many directions as the models in superposition represent, at random
    random_totals = dict.fromkeys(totals, 0)
    for level in np.array(levels)[superposed]:
        random_W = rng.standard_normal((config.m, level["n_represented"]))
        for name, count in polytopes.census(polytopes.components(random_W / np.linalg.norm(random_W, axis=0))).items():
            random_totals[name] += count
    controls["random"] = in_larger(random_totals)
    controls["even"] = {"levels_at_one_half": n_at_half(falls_evenly(per_feature))}
    lines = gathered(D, superposed)
    values = {
        "superposed_levels": int(superposed.sum()),
        "levels_at_one_half": n_at_half(per_feature),
        "lines": lines,
        "n_lines": n_lines(lines),
        "features_in": totals,
        **in_larger(totals),
    }
    result = {
        "levels": levels,
        **values,
        "edge_cosine": polytopes.EDGE,
        "gram_tolerance": polytopes.TOLERANCE,
        "controls": controls,
        "acceptance": acceptance.to_json(accept(values, controls, levels)),
    }
    arrays = {
        "W": parameters.W.numpy(),
        "D": D,
        "probabilities": level_probabilities(config),
        "dimensions_per_feature": per_feature,
        "membership": membership,
    }
    return result, arrays
