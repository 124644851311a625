"""Correlated and anticorrelated features: orthogonal, antipodal, local bases, and the collapse to PCA.

Elhage et al. 2022, "Correlated and Anticorrelated Features". A correlated set is switched on as a whole, of an
anticorrelated one exactly one member is on. Judged are all models whose loss is near the best, so that
one lucky model decides nothing; independent features are the control.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, training
from scripts.monosem.toy.settings import CorrelatedConfig
from scripts.monosem.toy.theory import superposition

EVALUATION_BLOCK = 2048
"""Samples scored at a time."""
NEAR_BEST = 0.01
"""Models whose loss exceeds the least by at most this share of the best constant's are judged."""
ORTHOGONAL = 0.1
"""Two features are orthogonal below this |cosine|."""
ANTIPODAL = -0.9
"""Two features are antipodal below this cosine."""
COLLAPSED_COSINE = 0.9
"""A pair has collapsed if its members have a cosine above this …"""
COLLAPSED_NORM = 0.3
"""… and both are longer than this."""
BAR_SHARE = 0.9
"""Least share of the judged models that show an arrangement."""
BAR_LOCAL_RATIO = 0.1
"""Bound on the mean squared cosine within sets over that across sets."""
COLLAPSE = (3, 2, 1, 0)
"""Numbers of collapsed pairs as features grow sparser."""
PUBLISHED = ((0.25, 0.5, 3), (0.15, 0.2, 2), (0.05, 0.15, 1), (0.0, 0.05, 0))
"""Range of densities -> collapsed pairs, printed in the paper. Between the ranges, and on a border of two, it says
nothing definite. From 0.5 on it reports models that are mostly principal components, with no number of pairs."""


@dataclass(frozen=True)
class Sets:
    """Features that go together."""

    sets: int
    """Number of sets."""
    size: int
    """Features in each."""
    relation: data.Relation
    """The way in which they go together."""
    m: int
    """Hidden dimensions."""
    restarts: int
    """Models."""


def fit(
    config: CorrelatedConfig, sets: Sets, probabilities: tuple[float, ...], seed: int, device: str
) -> tuple[Float[np.ndarray, "restart level m n"], Float[np.ndarray, "restart level"]]:
    """Train models of one kind of sets: weights, and losses on fresh samples in units of the best constant's."""
    name = f"{sets.sets}x{sets.size} {sets.relation}"
    generator = torch.Generator(device).manual_seed(derive_seed(seed, name))
    p = torch.tensor(probabilities, device=device)

    def draw(n_samples: int, source: torch.Generator) -> data.Batch:
        return data.sets_batch(p, sets.sets, sets.size, sets.relation, n_samples, source)

    def loss(parameters: models.Parameters, batch: data.Batch) -> Float[torch.Tensor, "*instance"]:
        return models.reconstruction_loss(parameters, batch, None, "relu")

    instances = (sets.restarts, len(probabilities))
    optimisation = training.Optimisation(config.steps, config.batch_size, config.learning_rate)
    start = models.initialise(instances, sets.sets * sets.size, sets.m, generator)
    trained = training.train(start, loss, draw, optimisation, generator, f"steps, {name}")
    losses = training.evaluate(trained, loss, draw, config.evaluation_samples, generator, EVALUATION_BLOCK)
    on = np.array(probabilities) / (sets.size if sets.relation == "anticorrelated" else 1)
    unit = sets.sets * sets.size * superposition.feature_variance(on)
    return trained.W.double().cpu().numpy(), losses / unit


def cosines(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance n n"]:
    """Cosines between the directions of all features; 0 for a feature without a direction."""
    return geometry.gram(W / np.maximum(geometry.norms(W), 1e-9)[..., None, :])


def partner_cosines(W: Float[np.ndarray, "*instance m n"]) -> Float[np.ndarray, "*instance pair"]:
    """Cosines of features 0 and 1, 2 and 3, …"""
    first = np.arange(0, W.shape[-1], 2)
    return cosines(W)[..., first, first + 1]


def within_over_across(W: Float[np.ndarray, "*instance m n"], size: int) -> Float[np.ndarray, "*instance"] | float:
    """Mean squared cosine of two features of one set over that of features of different sets."""
    squared, n = cosines(W) ** 2, W.shape[-1]
    same = np.arange(n)[:, None] // size == np.arange(n)[None] // size
    within = squared[..., same & ~np.eye(n, dtype=bool)].mean(-1)
    return within / squared[..., ~same].mean(-1)


def n_collapsed(W: Float[np.ndarray, "*instance m n"]) -> Int[np.ndarray, "*instance"] | np.integer:
    """Number of pairs that share one direction, as their first principal component would."""
    norms = geometry.norms(W)
    long = (norms[..., ::2] > COLLAPSED_NORM) & (norms[..., 1::2] > COLLAPSED_NORM)
    return (long & (partner_cosines(W) > COLLAPSED_COSINE)).sum(-1)


def near_best(losses: Float[np.ndarray, " restart"]) -> Int[np.ndarray, " kept"]:
    """Indices of the models that are judged, best first."""
    order = np.argsort(losses)
    return order[losses[order] <= losses[order[0]] + NEAR_BEST]


def in_order(counts: list[int], wanted: tuple[int, ...]) -> bool:
    """True if all wanted counts occur, and counts never rise."""
    return set(wanted) <= set(counts) and all(b <= a for a, b in zip(counts, counts[1:], strict=False))


def published(p: float) -> int | None:
    """Number of collapsed pairs that the paper has at a density; None where it names none, or two."""
    counts = {count for low, high, count in PUBLISHED if low <= p <= high}
    return counts.pop() if len(counts) == 1 else None


def n_as_published(probabilities: tuple[float, ...], counts: list[int]) -> int:
    """Number of densities at which as many pairs have collapsed as in the paper."""
    return sum(count == published(p) for p, count in zip(probabilities, counts, strict=True))


def accept(values: dict[str, Any], controls: dict[str, Any]) -> acceptance.Rules:
    """Acceptance rules, and that independent features show none of it."""

    rules = {}
    for name in ("correlated_orthogonal", "anticorrelated_antipodal", "hexagon_side_by_side"):
        rules[name] = acceptance.at_least(values[name], BAR_SHARE)
    rules["local_bases_within_over_across"] = acceptance.at_most(values["within_over_across"], BAR_LOCAL_RATIO)
    rules["collapse_in_the_order_3_2_1_0"] = acceptance.equal(in_order(values["collapsed_pairs"], COLLAPSE), True)
    named = values["densities_that_the_paper_names"]
    rules["collapse_at_published_densities"] = acceptance.equal(values["densities_as_published"], named)
    for name in ("orthogonal", "antipodal", "side_by_side"):
        rules[f"independent_{name}"] = acceptance.below(controls[name], BAR_SHARE)
    rules["independent_within_over_across"] = acceptance.above(controls["within_over_across"], BAR_LOCAL_RATIO)
    in_order_too = in_order(controls["collapsed_pairs"], COLLAPSE)
    rules["independent_in_the_order_3_2_1_0"] = acceptance.equal(in_order_too, False)
    rules["independent_at_published_densities"] = acceptance.below(controls["densities_as_published"], named)
    return rules


def _side_by_side(W: Float[np.ndarray, "model 2 6"]) -> Bool[np.ndarray, " model"]:
    """True for a model if each feature's partner is among its two nearest on the circle."""
    cosine = cosines(W) - 3.0 * np.eye(6)
    partner = np.arange(6) ^ 1
    nearer = (cosine > cosine[:, np.arange(6), partner][:, :, None]).sum(-1)
    return (nearer <= 1).all(-1)


def run(config: CorrelatedConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train all sets; arrays hold the best model of each, `{name}_W`, and of every density of the collapse."""
    restarts = config.restarts
    pairs = {
        "correlated": Sets(2, 2, "correlated", 2, restarts),
        "anticorrelated": Sets(2, 2, "anticorrelated", 2, restarts),
        "hexagon": Sets(3, 2, "correlated", 2, restarts),
        "independent": Sets(2, 2, "independent", 2, restarts),
        "independent_hexagon": Sets(3, 2, "independent", 2, restarts),
    }
    judged: dict[str, np.ndarray] = {}
    for name, sets in pairs.items():
        at = config.pair_probability if sets.sets == 2 else config.hexagon_probability
        W, losses = fit(config, sets, (at,), seed, device)
        judged[name] = W[near_best(losses[:, 0]), 0]
    arrays = {f"{name}_W": W[0] for name, W in judged.items()}

    bases = config.bases
    local: dict[str, float] = {}
    for relation in ("correlated", "independent"):
        W, losses = fit(
            config,
            Sets(bases.sets, bases.size, relation, bases.m, bases.restarts),
            (config.bases_probability,),
            seed,
            device,
        )
        kept = W[near_best(losses[:, 0]), 0]
        local[relation] = float(within_over_across(kept, bases.size).mean())
        arrays[f"bases_{relation}_W"] = kept[0]

    collapse: dict[str, list[int]] = {}
    level = np.arange(len(config.collapse_probabilities))
    for relation in ("correlated", "independent"):
        W, losses = fit(config, Sets(3, 2, relation, 2, restarts), config.collapse_probabilities, seed, device)
        best = W[losses.argmin(axis=0), level]
        collapse[relation] = n_collapsed(best).tolist()
        arrays[f"collapse_{relation}_W"] = best
    arrays["collapse_probabilities"] = np.array(config.collapse_probabilities)

    def orthogonal(W: Float[np.ndarray, "model m n"]) -> float:
        return float((np.abs(partner_cosines(W)) < ORTHOGONAL).all(-1).mean())

    def antipodal(W: Float[np.ndarray, "model m n"]) -> float:
        return float((partner_cosines(W) < ANTIPODAL).all(-1).mean())

    values = {
        "correlated_orthogonal": orthogonal(judged["correlated"]),
        "anticorrelated_antipodal": antipodal(judged["anticorrelated"]),
        "hexagon_side_by_side": float(_side_by_side(judged["hexagon"]).mean()),
        "within_over_across": local["correlated"],
        "collapsed_pairs": collapse["correlated"],
        "densities_that_the_paper_names": sum(published(p) is not None for p in config.collapse_probabilities),
        "densities_as_published": n_as_published(config.collapse_probabilities, collapse["correlated"]),
    }
    controls = {
        "orthogonal": orthogonal(judged["independent"]),
        "antipodal": antipodal(judged["independent"]),
        "side_by_side": float(_side_by_side(judged["independent_hexagon"]).mean()),
        "within_over_across": local["independent"],
        "collapsed_pairs": collapse["independent"],
        "densities_as_published": n_as_published(config.collapse_probabilities, collapse["independent"]),
    }
    result = {
        **values,
        "judged": {name: len(W) for name, W in judged.items()},
        "collapsed_by_density": [
            {"probability": p, "correlated": a, "independent": b, "published": published(p)}
            for p, a, b in zip(config.collapse_probabilities, *collapse.values(), strict=True)
        ],
        "controls": controls,
        "acceptance": acceptance.to_json(accept(values, controls)),
    }
    return result, arrays
