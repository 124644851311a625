"""Learning dynamics: features jump between energy levels as the loss falls, and a geometry that forms in stages.

Elhage et al. 2022, "Superposition and Learning Dynamics". First a uniform model that ends in digons: the D_i of its
features over training. Then six features in three dimensions, two sets of three correlated ones, which end as an
octahedron with antipodes in different sets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.signal import find_peaks
from scipy.special import expit
from scipy.stats import spearmanr

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.toy import acceptance, data, geometry, models, polytopes, training
from scripts.monosem.toy.settings import DynamicsConfig, EnergyLevels, Octahedron
from scripts.monosem.toy.theory import superposition

RECORDS = 150
"""Number of intervals between records of a run."""
HALF_WIDTH = 0.03
"""A D_i counts as at one half within this."""
BAR_SPEARMAN = 0.5
"""Least rank correlation of how far the D_i move and the loss falls."""
BAR_SHARE = 0.9
"""Least share of features at one half, and of octahedra with antipodes in different sets."""
BAR_STAGES = 2
"""Least median number of stages in which an octahedron forms."""
BAR_OCTAHEDRA = 0.5
"""Least share of the models that end as octahedra."""
STAGE_PROMINENCE = 0.15
"""A stage is a peak of the rate of learning that stands out by this share of the highest."""
ANTIPODAL = -0.9
"""Two features are antipodal below this cosine."""
ORTHOGONAL = 0.15
"""Two features are orthogonal below this |cosine|."""
EVALUATION_SAMPLES = 4096
"""Samples on which losses are recorded, the same at all times."""


def _small(start: models.Parameters, std: float) -> models.Parameters:
    """The same start with weights of another size."""
    return start._replace(W=start.W * (std / start.W.std()))


@dataclass(frozen=True)
class History:
    """Records of a stack during training."""

    steps: Int[np.ndarray, " record"]
    """Steps taken before each record."""
    losses: Float[np.ndarray, "record instance"]
    """On the same samples at all times, in units of the best constant's."""
    W: Float[np.ndarray, "record instance m n"]
    """Weights."""


def watch(
    start: models.Parameters,
    loss: Callable,
    draw: Callable,
    fixed: data.Batch,
    settings: EnergyLevels | Octahedron,
    generator: torch.Generator,
    label: str,
) -> History:
    """Train, and record the models evenly over the steps."""
    optimisation = training.Optimisation(settings.steps, settings.batch_size, settings.learning_rate)
    wanted = set(np.linspace(0, optimisation.steps, min(RECORDS, optimisation.steps) + 1).round().astype(int).tolist())
    seen: list[tuple[int, np.ndarray, np.ndarray]] = []

    def observe(step: int, parameters: models.Parameters) -> None:
        if step in wanted:
            with torch.no_grad():
                value = loss(parameters, fixed)
            seen.append((step, value.double().cpu().numpy(), parameters.W.cpu().numpy().copy()))

    training.train(start, loss, draw, optimisation, generator, label, observe)
    return History(*(np.array(column) for column in zip(*seen, strict=True)))


def uniform(config: DynamicsConfig, seed: int, device: str) -> History:
    """The model of equally important features at one density."""
    settings = config.levels
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "levels"))
    p = torch.tensor([settings.probability], device=device)
    unit = float(settings.n * superposition.feature_variance(settings.probability))

    def loss(parameters: models.Parameters, batch: data.Batch) -> Float[torch.Tensor, " instance"]:
        return models.reconstruction_loss(parameters, batch, None, "relu") / unit

    def draw(n_samples: int, source: torch.Generator) -> data.Batch:
        return data.nested_batch(p, settings.n, n_samples, source)

    start = _small(models.initialise((1,), settings.n, settings.m, generator), settings.initial_std)
    return watch(start, loss, draw, draw(EVALUATION_SAMPLES, generator), settings, generator, "steps, energy levels")


def sets(config: DynamicsConfig, relation: data.Relation, seed: int, device: str) -> History:
    """Many models of two sets of three features in three dimensions."""
    settings = config.octahedron
    generator = torch.Generator(device).manual_seed(derive_seed(seed, "octahedron", relation))
    p = torch.tensor([settings.probability], device=device)
    unit = float(6 * superposition.feature_variance(settings.probability))

    def loss(parameters: models.Parameters, batch: data.Batch) -> Float[torch.Tensor, " instance"]:
        return models.reconstruction_loss(parameters, batch, None, "relu") / unit

    def draw(n_samples: int, source: torch.Generator) -> data.Batch:
        return data.sets_batch(p, 2, 3, relation, n_samples, source)

    start = _small(models.initialise((settings.restarts,), 6, 3, generator), settings.initial_std)
    return watch(start, loss, draw, draw(EVALUATION_SAMPLES, generator), settings, generator, f"steps, {relation} sets")


def jump_correlation(
    D: Float[np.ndarray, "record n"], loss: Float[np.ndarray, " record"], seed: int
) -> tuple[float, float]:
    """Spearman correlation over intervals of how far the D_i move and the loss falls, also with shuffled ones."""
    moved, fallen = np.abs(np.diff(D, axis=0)).sum(axis=1), -np.diff(np.log(loss))
    shuffled = np.random.default_rng(derive_seed(seed, "shuffled intervals")).permutation(fallen)
    return float(spearmanr(moved, fallen).statistic), float(spearmanr(moved, shuffled).statistic)


def stages(loss: Float[np.ndarray, " record"]) -> int:
    """Peaks of the rate of learning, −d log L, smoothed over a few records."""
    rate = np.convolve(-np.diff(np.log(loss)), np.ones(5) / 5.0, mode="same")
    padded = np.concatenate([[0.0], rate, [0.0]])
    return len(find_peaks(padded, prominence=STAGE_PROMINENCE * max(rate.max(), 1e-12))[0])


def one_fall(first: float, last: float, records: int) -> Float[np.ndarray, " record"]:
    """A loss that falls once, along a logistic curve."""
    return last + (first - last) * expit(-np.linspace(-6.0, 6.0, records))


def octahedra(
    W: Float[np.ndarray, "instance 3 6"],
) -> tuple[Bool[np.ndarray, " instance"], Bool[np.ndarray, " instance"]]:
    """True for models of which the features are three orthogonal digons, and for those with no antipodes in one set."""
    cosines = geometry.gram(W / np.maximum(geometry.norms(W), 1e-9)[:, None, :])
    antipodes = (cosines < ANTIPODAL).sum(-1) == 1
    clean = (np.abs(cosines) < ORTHOGONAL).sum(-1) == 4
    partner = cosines.argmin(-1)
    return (antipodes & clean).all(-1), (partner // 3 != np.arange(6) // 3).all(-1)


def accept(values: dict[str, Any], controls: dict[str, Any]) -> acceptance.Rules:
    """Acceptance rules, and that the controls miss them."""

    across = "octahedra_with_antipodes_across_sets"
    independent = "independent_antipodes_across_sets"
    return {
        "features_end_at_one_half": acceptance.at_least(values["share_at_one_half"], BAR_SHARE),
        "loss_falls_when_features_move": acceptance.at_least(values["jump_correlation"], BAR_SPEARMAN),
        across: acceptance.at_least(values[across], BAR_SHARE),
        "octahedra_share": acceptance.at_least(values["octahedra_share"], BAR_OCTAHEDRA),
        "median_stages": acceptance.at_least(values["median_stages"], BAR_STAGES),
        "octahedra_before_training": acceptance.below(controls["octahedra_share_before_training"], BAR_OCTAHEDRA),
        "one_fall_stages": acceptance.below(controls["one_fall_stages"], BAR_STAGES),
        "untrained_features_at_one_half": acceptance.below(controls["share_at_one_half_before_training"], BAR_SHARE),
        "shuffled_intervals": acceptance.below(controls["jump_correlation_shuffled"], BAR_SPEARMAN),
        independent: acceptance.below(controls[independent], BAR_SHARE),
    }


def run(config: DynamicsConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Watch all models; arrays: D and norms [record, n] and losses of the first, and the course of one octahedron."""
    model = uniform(config, seed, device)
    W, loss = model.W[:, 0].astype(np.float64), model.losses[:, 0]
    D, norms = geometry.dimensionality(W), geometry.norms(W)
    at_half = [
        float((np.abs(D[i][norms[i] > geometry.REPRESENTED_NORM] - 0.5) <= HALF_WIDTH).mean())
        if (norms[i] > geometry.REPRESENTED_NORM).any()
        else 0.0
        for i in (0, -1)
    ]
    correlation, shuffled = jump_correlation(D, loss, seed)
    small = {relation: sets(config, relation, seed, device) for relation in ("correlated", "independent")}
    ideal = {relation: octahedra(history.W[-1].astype(np.float64)) for relation, history in small.items()}
    correlated = small["correlated"]
    best = int(correlated.losses[-1].argmin())
    counted = [stages(correlated.losses[:, i]) for i in np.flatnonzero(ideal["correlated"][0])]
    across = {
        relation: float((octahedron & apart).sum() / max(1, octahedron.sum()))
        for relation, (octahedron, apart) in ideal.items()
    }
    values = {
        "share_at_one_half": at_half[1],
        "n_represented": int((norms[-1] > geometry.REPRESENTED_NORM).sum()),
        "digons": polytopes.census(polytopes.components(W[-1]))["digon"],
        "jump_correlation": correlation,
        "octahedra_share": float(ideal["correlated"][0].mean()),
        "octahedra_with_antipodes_across_sets": across["correlated"],
        "median_stages": float(np.median(counted)) if counted else 0.0,
    }
    controls = {
        "share_at_one_half_before_training": at_half[0],
        "jump_correlation_shuffled": shuffled,
        "octahedra_share_before_training": float(octahedra(correlated.W[0].astype(np.float64))[0].mean()),
        "one_fall_stages": float(stages(one_fall(*correlated.losses[[0, -1], best], len(correlated.losses)))),
        "independent_octahedra_share": float(ideal["independent"][0].mean()),
        "independent_antipodes_across_sets": across["independent"],
    }
    result = {**values, "controls": controls, "acceptance": acceptance.to_json(accept(values, controls))}
    arrays = {
        "level_steps": model.steps,
        "D": D.astype(np.float32),
        "norms": norms.astype(np.float32),
        "level_loss": loss,
        "octahedron_steps": correlated.steps,
        "octahedron_losses": correlated.losses,
        "octahedron_W": correlated.W[:, best],
        "best": np.array(best),
    }
    return result, arrays
