"""Work of the toy experiments, from the samples that their models see and from the steps of their autoencoders."""

from collections.abc import Callable, Iterator, Mapping
from math import comb
from typing import Any

from scripts.monosem.core.declaration import from_params
from scripts.monosem.toy import settings as toy
from scripts.monosem.workflow.estimates.autoencoders import STEP_S, encoder_flops
from scripts.monosem.workflow.estimates.work import Work

PER_VALUE = {
    "superposition": 500.0,
    "phase-diagram": 1350.0,
    "uniform-geometry": 310.0,
    "non-uniform": 3250.0,
    "correlated": 1330.0,
    "dynamics": 1300.0,
    "adversarial": 1030.0,
    "privileged-basis": 460.0,
    "absolute-value": 1170.0,
    "polysemantic-neuron": 42_000.0,
}
"""Kind -> FLOPs of a product that take as long as one value (a feature of a sample) in training and evaluation.

Measured in the default run. Products of this size are no products to a processor: a value costs passes over arrays.
"""
HIDDEN = 15.0
"""Hidden dimensions that cost as much as the rest of a value."""
SAE_PRODUCTS = 3.0
"""Small autoencoders: time of a vector in multiples of its encoder's product, beside the time of the steps."""
MEMORY_BYTES = 6e8


def _values(samples: float, n: int, m: int) -> float:
    return samples * n * (1 + m / HIDDEN)


def _superposition(of: toy.SuperpositionConfig) -> float:
    models = 2 * len(of.probabilities) * of.restarts  # linear and ReLU output
    return _values(models * of.steps * of.batch_size, of.n, of.m)


def _phase_diagram(of: toy.PhaseDiagramConfig) -> float:
    models = of.importances.levels * of.probabilities.levels * of.restarts
    return _values(models * of.steps * of.points**of.n, of.n, of.m)


def _uniform_geometry(of: toy.UniformGeometryConfig) -> float:
    return _values(of.inverse_probabilities.levels * of.steps * of.batch_size, of.n, of.m)


def _non_uniform(of: toy.NonUniformConfig) -> float:
    nodes = sum(comb(of.n, on) * points**on for on, points in enumerate(of.points, start=1))
    return _values(of.ratios.levels * of.restarts * of.steps * nodes, of.n, of.m)


def _correlated(of: toy.CorrelatedConfig) -> float:
    steps = of.steps * of.batch_size
    pairs = _values((len(of.collapse_probabilities) + 2) * of.restarts * steps, 6, 2)
    return pairs + _values(of.bases.restarts * steps, of.bases.sets * of.bases.size, of.bases.m)


def _dynamics(of: toy.DynamicsConfig) -> float:
    levels, octahedron = of.levels, of.octahedron
    small = octahedron.restarts * octahedron.steps * octahedron.batch_size
    return _values(levels.steps * levels.batch_size, levels.n, levels.m) + _values(small, 6, 3)


def _adversarial(of: toy.AdversarialConfig) -> float:
    trainings = 2 if of.training_attack else 1
    return _values(trainings * len(of.probabilities) * of.steps * of.batch_size, of.n, of.m)


def _privileged_basis(of: toy.PrivilegedBasisConfig) -> float:
    return _values(len(of.probabilities) * of.restarts * of.steps * of.batch_size, of.n, of.m)


def _absolute_value(of: toy.AbsoluteValueConfig) -> float:
    return _values(len(of.probabilities) * of.restarts * of.steps * of.batch_size, of.n, of.m)


def _polysemantic_neuron(of: toy.PolysemanticNeuronConfig) -> float:
    return float(of.restarts * of.steps * of.n)


MODELS: dict[str, Callable[[Any], float]] = {
    "superposition": _superposition,
    "phase-diagram": _phase_diagram,
    "uniform-geometry": _uniform_geometry,
    "non-uniform": _non_uniform,
    "correlated": _correlated,
    "dynamics": _dynamics,
    "adversarial": _adversarial,
    "privileged-basis": _privileged_basis,
    "absolute-value": _absolute_value,
    "polysemantic-neuron": _polysemantic_neuron,
}
"""Kind of toy model -> values that its models see: samples · features · (1 + m / HIDDEN)."""


def _recovery_runs(of: toy.RecoveryConfig) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    d = of.truth.sparse_features.d if of.truth.sparse_features else of.truth.toy_model.m
    for grid in of.trained_grids.values():
        for value in grid.values:
            for width in grid.widths:
                shared = (value == grid.headline.value) + (width == grid.headline.width)
                if of.design == "full" or shared:
                    for _ in range(of.n_seeds if shared == 2 else 1):
                        yield d, width, {**of.sae, **grid.sae}


def _absorption_runs(of: toy.AbsorptionConfig) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    for run in of.architectures.values():
        for _ in range(2 * of.n_seeds):  # a hierarchy, and independent features
            yield of.d, of.n, {**of.sae, **run}


def _autoencoders(runs: Iterator[tuple[int, int, Mapping[str, Any]]]) -> Work:
    work = Work()
    for d, width, run in runs:
        products = SAE_PRODUCTS * encoder_flops(d, width) * run["vectors"]
        work += Work(products=products, interpreter_s=STEP_S * run["vectors"] / run["batch_size"])
    return work


def experiment(entry: Mapping[str, Any]) -> Work:
    """Work of one entry under `toy` in the configuration."""
    kind = entry["kind"]
    of: Any = from_params(
        toy.CONFIGS[kind], {key: value for key, value in entry.items() if key not in ("kind", "seed")}
    )
    if kind == "recovery":
        truth = of.truth.toy_model
        work = _autoencoders(_recovery_runs(of))
        work += Work(passes=PER_VALUE["superposition"] * _superposition(truth)) if truth else Work()
    elif kind == "absorption":
        work = _autoencoders(_absorption_runs(of))
    else:
        work = Work(passes=PER_VALUE[kind] * MODELS[kind](of))
    return work + Work(memory_bytes=MEMORY_BYTES, disk_bytes=2e6)
