"""Train one sparse autoencoder on stored activations: seeded global shuffle, hand-written gradients, exact resume."""

import dataclasses
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import derive_seed, resolve_precision
from scripts.monosem.sae import parameters
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.fold import folded
from scripts.monosem.sae.losses import Outcome
from scripts.monosem.sae.training import batches, diagnose, initialise, objective, resampling
from scripts.monosem.sae.training import checkpoint as checkpoints
from scripts.monosem.sae.training.adam import adam_step_
from scripts.monosem.sae.training.checkpoint import TrainingState

CURVE_POINTS = 150


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which step and which parameter is likely to blame."""


@runtime_checkable
class Rows(Protocol):
    """Activations that training reads: stored activations, or anything else with these three."""

    n_tokens: int
    d_in: int

    def gather(self, indices: Int[np.ndarray, " n"]) -> Float[Tensor, "n d_in"]:
        """The rows at `indices`, float32."""


def learning_rate(config: SaeConfig, step: int) -> float:
    """Rate of step `step` (from 0): linear warm-up at the start and after each resampling, linear decay at the end."""
    rise = min(1.0, (step + 1) / max(1, config.warmup_steps))
    for at in config.resample_steps:
        if step >= at:
            rise = min(rise, (step - at + 1) / max(1, config.rewarm_steps))
    decay_steps = config.decay_share * config.steps
    fall = min(1.0, (config.steps - step) / decay_steps) if decay_steps else 1.0
    return config.learning_rate * rise * fall


def start(read: Rows, config: SaeConfig, seed: int) -> TrainingState:
    """The state before the first step."""
    rows = np.random.default_rng(derive_seed(seed, "sample")).permutation(read.n_tokens)[: initialise.SAMPLE]
    sample = read.gather(np.sort(rows))
    try:
        statistics = initialise.statistics(sample)
    except ValueError as error:
        raise TrainingError(f"step 0: {error}") from None
    generator = torch.Generator().manual_seed(derive_seed(seed, "weights"))
    weights = initialise.start_parameters(sample * statistics.scale, config, generator)
    since_fired = torch.zeros(config.d_sae, dtype=torch.long)
    return TrainingState(weights, weights.zeros(), weights.zeros(), since_fired, statistics)


def update_(state: TrainingState, config: SaeConfig, gradients: parameters.Parameters) -> None:
    """One Adam step in place, with the configuration's constraints on the decoder.

    A tied encoder follows the decoder, whose gradient is the sum of both.
    """
    if config.tied_decoder:
        gradients.decoder.add_(gradients.encoder)
        gradients.encoder.zero_()
    threshold = None if state.weights.threshold is None else state.weights.threshold.clone()
    adam_step_(
        state.weights, gradients, state.first_moment, state.second_moment, state.step,
        learning_rate(config, state.step), config.unit_rows, config.project_gradient,
    )  # fmt: skip
    if config.tied_decoder:
        state.weights.encoder.copy_(state.weights.decoder)
    if threshold is not None:  # a larger learning rate, and never below 0
        state.weights.threshold.lerp_(threshold, 1 - config.threshold_rate).clamp_min_(0)


def advance_(
    state: TrainingState, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """One step of training on scaled data, in place."""
    result = objective.outcome(state, config, x, buffers)
    update_(state, config, result.gradients)
    if result.smallest_kept is not None:
        objective.remember_smallest_(state, config, result.smallest_kept)
    state.step += 1
    state.since_fired += config.batch_size
    state.since_fired[result.fired] = 0
    return result


def _resample_(state: TrainingState, config: SaeConfig, read: Rows, seed: int) -> None:
    window = round(config.resample.window * config.steps) * config.batch_size
    dead = (state.since_fired >= window).cpu()
    device = str(state.weights.b_dec.device)
    if bool(dead.any()):
        rng = np.random.default_rng(derive_seed(seed, "resample", state.step))
        rows = np.sort(rng.choice(read.n_tokens, min(config.resample.inputs, read.n_tokens), replace=False))
        inputs = read.gather(rows) * state.statistics.scale
        losses = torch.cat([objective.loss_per_input(state, config, x.to(device)).cpu() for x in inputs.split(4096)])
        generator = torch.Generator().manual_seed(derive_seed(seed, "choose", state.step))
        state.to("cpu")
        state.weights, moments, changed = resampling.resample(
            state.weights, (state.first_moment, state.second_moment), dead, inputs, losses, generator
        )
        state.first_moment, state.second_moment = moments
        if config.tied_decoder:
            state.weights.encoder.copy_(state.weights.decoder)
        state.since_fired[changed] = 0
        state.to(device)
        state.resampled.append([state.step, len(changed)])
    else:
        state.resampled.append([state.step, 0])


def _diagnosis(state: TrainingState, config: SaeConfig, sums: dict[str, float]) -> str | None:
    return diagnose.diagnose(sums, state.step, next(iter(state.curve), None), config)


def _record(state: TrainingState, config: SaeConfig, seconds: float) -> dict[str, float | int]:
    """Close the curve's interval: one row in units of the raw activations.

    Raises: TrainingError when the interval shows NaN, divergence or silence.
    """
    sums = {name: float(value) for name, value in state.sums.items()}
    n, raw = sums["vectors"], 1 / state.statistics.scale**2
    dead = (state.since_fired > config.dead_after).float().mean().item()
    sentence = _diagnosis(state, config, sums) or diagnose.all_dead(dead, config)
    if sentence is None and not diagnose.all_finite(state.weights.tensors()):
        sentence = f"the weights are not finite; lower learning_rate ({config.learning_rate})"
    if sentence is not None:
        raise TrainingError(f"step {state.step}: {sentence}")
    return {
        "step": state.step,
        "vectors": state.step * config.batch_size,
        "loss": sums["loss"] / n,
        "mse": sums["squared_error"] / n * raw,
        "explained_variance": 1 - sums["squared_error"] / sums["variance"],
        "l0": sums["active"] / n,
        "dead_share": dead,
        "learning_rate": learning_rate(config, state.step - 1),
        "seconds": round(seconds, 2),
    }


def train(
    read: Rows,
    config: SaeConfig,
    seed: int,
    checkpoint: str | Path,
    log: str | Path,
    progress: Callable[..., None] | None = None,
    data_identity: str = "",
    device: str = "cpu",
    checkpoint_every_s: float = 60.0,
    say: Callable[[str], None] = print,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train to the end, from `checkpoint` if it holds a state of this very run.

    Args: read: rows of raw activations. checkpoint: file of the running state, removed at the end. log: the curve, JSON
    lines. progress: called as progress(vectors, **fields). data_identity: digest of the data.

    Returns: weights in the SAELens layout that act on raw activations, and a summary. Training saw s·x with
    E‖s·x‖² = d_in, and that is folded in (fold.py).

    Raises: TrainingError (one sentence) on NaN, divergence or when nothing fires; the last checkpoint stays.
    """
    checkpoint, log = Path(checkpoint), Path(log)
    if config.batch_size > read.n_tokens:
        say(f"batch_size {config.batch_size:,} is more than there are rows: {read.n_tokens:,} are used")
        config = dataclasses.replace(config, batch_size=read.n_tokens)
    config = dataclasses.replace(config, precision=resolve_precision(config.precision, device))
    identity = artefacts.sha256_json([dataclasses.asdict(config), seed, data_identity, read.n_tokens, read.d_in])
    state, sentence = checkpoints.load(checkpoint, identity)
    say(sentence)
    state = (state or start(read, config, seed)).to(device)
    began = last_saved = time.perf_counter()
    before = state.seconds
    every = max(1, config.steps // CURVE_POINTS)
    buffers: dict[str, Tensor] = {}

    log.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as reader, open(log, "w", encoding="utf-8") as curve:
        curve.writelines(json.dumps(row) + "\n" for row in state.curve)
        indices = batches.batches(
            read.n_tokens, config.batch_size, derive_seed(seed, "order"), state.step, config.steps
        )
        ahead = reader.submit(read.gather, next(indices)) if state.step < config.steps else None
        while state.step < config.steps:
            x = ahead.result().to(device).mul(state.statistics.scale)
            following = next(indices, None)
            ahead = reader.submit(read.gather, following) if following is not None else None

            result = advance_(state, config, x, buffers)
            _accumulate_(state.sums, x, result)
            if state.step in config.resample_steps:
                _resample_(state, config, read, seed)

            now = time.perf_counter()
            state.seconds = before + now - began
            if state.step % every == 0 or state.step == config.steps:
                row = _record(state, config, state.seconds)
                state.sums = {}
                state.curve.append(row)
                curve.write(json.dumps(row) + "\n")
                curve.flush()
                if progress:
                    shown = ("loss", "explained_variance", "l0", "dead_share")
                    progress(row["vectors"], **{name: row[name] for name in shown})
            if now - last_saved >= checkpoint_every_s and state.step < config.steps:
                _save(state, checkpoint, identity, config)
                last_saved = now
    summary = _summary(state, config, seed, read.n_tokens)
    if warning := diagnose.many_dead(summary["final"]["dead_share"], config):
        say(warning)
    state.to("cpu")
    checkpoint.unlink(missing_ok=True)
    return folded(state.weights, state.statistics.scale, config, summary["inference_threshold_scaled"]), summary


def _accumulate_(sums: dict[str, Any], x: Float[Tensor, "batch d_in"], result: Outcome) -> None:
    power = torch.linalg.vector_norm(x).square()
    terms = {
        "vectors": len(x),
        "power": power,
        "variance": power - len(x) * x.mean(0).square().sum(),
        "loss": result.loss,
        "squared_error": result.squared_error,
        "active": result.active,
    }
    for name, value in terms.items():
        value = float(value) if isinstance(value, Tensor) and value.device.type == "cpu" else value
        sums[name] = sums.get(name, 0.0) + value


def _save(state: TrainingState, path: Path, identity: str, config: SaeConfig) -> None:
    """Replace the checkpoint, unless something is wrong with the state: then the last good one stays."""
    state.sums = {name: float(value) for name, value in state.sums.items()}
    well = not state.sums or _diagnosis(state, config, state.sums) is None
    groups = (state.weights, state.first_moment, state.second_moment)
    if well and all(diagnose.all_finite(group.tensors()) for group in groups):
        checkpoints.save(state, path, identity)


def _summary(state: TrainingState, config: SaeConfig, seed: int, n_rows: int) -> dict[str, Any]:
    vectors = config.steps * config.batch_size
    final = {key: value for key, value in state.curve[-1].items() if key not in ("step", "vectors", "seconds")}
    l1, l0 = config.l1_coefficient, config.l0_coefficient
    estimated = ARCHITECTURES[config.architecture].saved_as == "jumprelu" and state.weights.threshold is None
    return {
        "vectors": vectors,
        "seconds": state.seconds,
        "vectors_per_s": vectors / state.seconds,
        "epochs": vectors / n_rows,
        "final": final,
        "dead_latents": int((state.since_fired > config.dead_after).sum()),
        "dead_after_vectors": config.dead_after,
        "resampled": [{"step": step, "latents": count} for step, count in state.resampled],
        "data_scale": state.statistics.scale,
        "l1_coefficient_raw": None if l1 is None else l1 / state.statistics.scale,
        "l0_coefficient_raw": None if l0 is None else l0 / state.statistics.scale**2,
        "inference_threshold_scaled": float(state.inference_threshold) if estimated else None,
        "config": dataclasses.asdict(config),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "device": str(state.weights.b_dec.device),
    }
