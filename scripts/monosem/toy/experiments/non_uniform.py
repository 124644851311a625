"""Non-uniform superposition: a pentagon whose one feature grows rare deforms, then snaps to two digons.

Five features share two dimensions (Elhage et al. 2022, "Non-Uniform Superposition"). Both
arrangements are followed as branches, and their losses cross; many free models, of which the best is kept, switch
from one to the other. Expectations are enumerated. The paper has the snap at another ratio, so two possible reasons are
measured: training on samples, and another density of the other features.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, polytopes, training
from scripts.monosem.toy.settings import NonUniformConfig
from scripts.monosem.toy.theory import superposition

GEOMETRIES = ("other", "pentagon", "two digons")
"""Classes of a model, by position."""
ANGLE_TOLERANCE = 3.0
"""Degrees by which the angles of the even pentagon may differ from 72."""
TIMES_RARER = (2.0, 3.2)
"""Where the curves must cross; the paper prints about 2.5."""
OTHER_DENSITIES = {"sparser": 0.6, "doubled": 2.0, "denser": 4.0}
"""Other densities of all features, as multiples of `probability`: where the curves cross depends on it."""
ELSEWHERE = ("sparser", "denser")
"""Those that are controls: the curves must not cross there where the paper has it."""
SAMPLES = 256
"""Per step and ratio, of models that are trained on samples."""
BAR_AGREEMENT = 0.9
"""Least share of ratios at which the best free model has the geometry of the better branch."""
BAR_QUADRATURE = 0.01
"""Largest error of a trained model's loss, relative to a finer grid's, that counts as exact."""
START_NOISE = 0.02
"""Of the branches' initial weights, as a share of a random start's."""


def densities(config: NonUniformConfig) -> tuple[Float[np.ndarray, " level"], Float[np.ndarray, "level n"]]:
    """Ratios, and the probabilities of all features at each; feature 0 is the changed one."""
    ratios = data.log_spaced(config.ratios)
    p = np.full((len(ratios), config.n), config.probability)
    p[:, 0] *= ratios
    return ratios, p


def gaps(W: Float[np.ndarray, "2 n"]) -> Float[np.ndarray, " n"]:
    """Angles in degrees between neighbouring features around the circle."""
    angle = np.sort(np.degrees(np.arctan2(W[1], W[0])))
    return np.diff(np.append(angle, angle[0] + 360.0))


def classify(W: Float[np.ndarray, "2 n"]) -> int:
    """Position in GEOMETRIES: five features with a direction, or two antipodal pairs of them."""
    if geometry.n_represented(W) == 5:
        return 1
    names = [component.name for component in polytopes.components(W)]
    return 2 if names == ["digon", "digon"] else 0


def loss_function(
    config: NonUniformConfig, output: models.Output, device: str
) -> Callable[[models.Parameters, data.Batch], Float[torch.Tensor, "*start level"]]:
    """Loss of models [..., level] in units of the best constant's."""
    _, p = densities(config)
    unit = torch.tensor(superposition.feature_variance(p).sum(-1), dtype=torch.float32, device=device)
    return lambda parameters, batch: models.reconstruction_loss(parameters, batch, None, output) / unit


def fit(
    config: NonUniformConfig, start: models.Parameters, learning_rate: float, output: models.Output, device: str
) -> tuple[models.Parameters, Float[np.ndarray, "start level"]]:
    """Train starts [start, level]; parameters on the CPU, and losses in units of the best constant's."""
    loss = loss_function(config, output, device)
    batch = data.enumerated_batch(densities(config)[1], config.points, device)
    optimisation = training.Optimisation(config.steps, batch.x.shape[1], learning_rate)
    trained = training.train(start, loss, lambda n_samples, source: batch, optimisation, torch.Generator(device))
    with torch.no_grad():
        losses = loss(trained, batch).double().cpu().numpy()
    return models.Parameters(*(tensor.cpu() for tensor in trained)), losses


def quadrature_error(config: NonUniformConfig, parameters: models.Parameters) -> float:
    """Largest relative error of the models' losses on the grid of their training, against one of twice its nodes."""
    loss, p = loss_function(config, "relu", "cpu"), densities(config)[1]
    coarse, fine = (
        loss(parameters, data.enumerated_batch(p, [times * points for points in config.points])) for times in (1, 2)
    )
    return float((coarse / fine - 1.0).abs().max())


def ideals() -> Float[np.ndarray, "2 2 5"]:
    """The pentagon, and two digons that leave feature 0 out."""
    digon = superposition.polytope("digon")
    digons = np.concatenate([np.zeros((2, 1)), superposition.tegum_product(digon, digon)], axis=1)
    return np.stack([superposition.polytope("pentagon"), digons])


def branches(
    config: NonUniformConfig, output: models.Output, seed: int, device: str
) -> tuple[Float[np.ndarray, "branch level"], Bool[np.ndarray, "branch level"]]:
    """Losses after gentle training from both ideal arrangements; true where a model kept its own for both noises."""
    levels = config.ratios.levels
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "branches"))
    noise = START_NOISE * models.initialise((2, levels), config.n, config.m, generator).W
    ideal = torch.tensor(ideals(), dtype=torch.float32, device=device)[:, None]
    both = torch.cat([ideal + noise, ideal - noise])
    start = models.Parameters(both, both.new_zeros(4, levels, config.n))
    trained, losses = fit(config, start, config.learning_rate / 3.0, output, device)
    W = trained.W.double().numpy()
    classes = np.array([[classify(model) for model in row] for row in W]).reshape(2, 2, levels)
    return losses[:2], (classes == np.array([1, 2])[:, None]).all(axis=0)


def free(
    config: NonUniformConfig, output: models.Output, seed: int, device: str
) -> tuple[models.Parameters, Float[np.ndarray, "restart level"], Int[np.ndarray, "restart level"]]:
    """The best of many models at every ratio; losses and classes of all of them."""
    levels = config.ratios.levels
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "free"))
    start = models.initialise((config.restarts, levels), config.n, config.m, generator)
    trained, losses = fit(config, start, config.learning_rate, output, device)
    classes = np.array([[classify(W) for W in row] for row in trained.W.double().numpy()])
    return training.best_restarts(trained, losses), losses, classes


def crossing(
    ratios: Float[np.ndarray, " level"], losses: Float[np.ndarray, "2 level"], stays: Bool[np.ndarray, "2 level"]
) -> float | None:
    """Ratio at which both branches, where both are stable, are equally good; None if there is none."""
    both, difference = stays.all(axis=0), losses[0] - losses[1]
    change = (np.diff(np.sign(difference)) != 0) & both[1:] & both[:-1]
    if not change.any():
        return None
    i, x = int(change.argmax()), np.log(ratios)
    return float(np.exp(x[i] - difference[i] * (x[i + 1] - x[i]) / (difference[i + 1] - difference[i])))


def digons_from(ratios: Float[np.ndarray, " level"], classes: Int[np.ndarray, " level"]) -> float | None:
    """Times by which the feature is rarer where the best models become two digons, and stay so as it grows rarer."""
    digons = np.cumprod(classes == 2).astype(bool)
    return float(1.0 / ratios[digons][-1]) if digons.any() else None


def sampled(config: NonUniformConfig, seed: int, device: str) -> Int[np.ndarray, " level"]:
    """Class of the best of the free models at every ratio when they are trained on samples; judged on the grid."""
    p = torch.tensor(densities(config)[1], dtype=torch.float32, device=device)
    loss = loss_function(config, "relu", device)
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "samples"))
    trained = training.train(
        models.initialise((config.restarts, len(p)), config.n, config.m, generator),
        loss,
        lambda n_samples, source: data.stratified_batch(p, n_samples, source),
        training.Optimisation(config.steps, SAMPLES, config.learning_rate),
        generator,
        "steps, on samples",
    )
    with torch.no_grad():
        losses = loss(trained, data.enumerated_batch(densities(config)[1], config.points, device)).cpu().numpy()
    return np.array([classify(W) for W in training.best_restarts(trained, losses).W.double().numpy()])


def within(rarer: float | None) -> bool:
    """True for a crossing near the published one."""
    return rarer is not None and TIMES_RARER[0] <= rarer <= TIMES_RARER[1]


def accept(values: dict[str, Any], controls: dict[str, Any]) -> acceptance.Rules:
    """Acceptance rules, and that neither untrained nor linear models form pentagons."""

    rarer, bounds = values["times_rarer_at_crossing"], list(TIMES_RARER)
    return {
        "pentagon_angle_error_degrees": acceptance.at_most(values["angle_error"], ANGLE_TOLERANCE),
        "loss_curves_cross": acceptance.equal(rarer is not None, True),
        "times_rarer_at_crossing": acceptance.Rule(rarer, bounds, within(rarer)),
        "free_models_follow_the_better_branch": acceptance.at_least(values["free_agreement"], BAR_AGREEMENT),
        "quadrature_error": acceptance.at_most(values["quadrature_error"], BAR_QUADRATURE),
        "untrained_angles_fail": acceptance.above(controls["untrained_angle_error"], ANGLE_TOLERANCE),
        "linear_pentagons": acceptance.equal(controls["linear_pentagons"], 0),
        "linear_loss_curves_do_not_cross": acceptance.equal(controls["linear_crosses"], False),
        **{
            f"{name}_crossing_is_elsewhere": acceptance.Rule(
                values[f"{name}_times_rarer"], bounds, not within(values[f"{name}_times_rarer"])
            )
            for name in ELSEWHERE
        },
    }


def run(config: NonUniformConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train branches and free models; arrays hold their losses, classes and weights by ratio."""
    ratios, _ = densities(config)
    losses, stays = branches(config, "relu", seed, device)
    kept, free_losses, free_classes = free(config, "relu", seed, device)
    classes = np.take_along_axis(free_classes, free_losses.argmin(axis=0)[None], axis=0)[0]
    _, _, linear = free(replace(config, restarts=2), "linear", seed, device)
    other_ratios = {
        name: crossing(ratios, *branches(replace(config, probability=times * config.probability), "relu", seed, device))
        for name, times in OTHER_DENSITIES.items()
    }
    W = kept.W.double().numpy()
    even = int(np.abs(np.log(ratios)).argmin())
    untrained = models.initialise((), config.n, config.m, torch.Generator().manual_seed(derive_seed(seed, "control")))
    ratio = crossing(ratios, losses, stays)
    better = np.where(ratios < ratio, 2, 1) if ratio else np.zeros_like(classes)
    values = {
        "angle_error": np.abs(gaps(W[even]) - 72.0).max() if classes[even] == 1 else 180.0,
        "ratio_at_crossing": ratio,
        "times_rarer_at_crossing": 1.0 / ratio if ratio else None,
        "both_stable_decades": float(stays.all(axis=0).sum() * np.log10(ratios[-1] / ratios[0]) / (len(ratios) - 1)),
        "digons_from": digons_from(ratios, classes),
        "digons_from_on_samples": digons_from(ratios, sampled(config, seed, device)),
        **{f"{name}_probability": times * config.probability for name, times in OTHER_DENSITIES.items()},
        **{f"{name}_times_rarer": None if ratio is None else 1.0 / ratio for name, ratio in other_ratios.items()},
        "free_agreement": float((classes == better).mean()),
        "quadrature_error": quadrature_error(config, kept),
    }
    controls = {
        "untrained_angle_error": np.abs(gaps(untrained.W.double().numpy()) - 72.0).max(),
        "linear_pentagons": int((linear == 1).sum()),
        "linear_crosses": crossing(ratios, *branches(config, "linear", seed, device)) is not None,
    }
    result = {**values, "controls": controls, "acceptance": acceptance.to_json(accept(values, controls))}
    arrays = {
        "ratios": ratios,
        "branch_losses": losses,
        "branch_stays": stays,
        "free_loss": free_losses.min(axis=0),
        "free_class": classes,
        "W": kept.W.numpy(),
    }
    return result, arrays
