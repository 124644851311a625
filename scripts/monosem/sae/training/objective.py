"""Which loss a training step minimises, and with which weight of its penalty."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae import fold
from scripts.monosem.sae.config import SPARSE_BY_COUNT, SaeConfig
from scripts.monosem.sae.losses import (
    Outcome,
    batchtopk,
    gated,
    jumprelu,
    matryoshka,
    relu_decoder_norm,
    relu_l1,
    topk,
)
from scripts.monosem.sae.training.checkpoint import TrainingState

MEMORY_SHARE = 0.05  # of the steps, over which the smallest kept values are averaged to the inference threshold


def keeps_by_batch(config: SaeConfig) -> bool:
    """Whether the number of latents kept is fixed for the batch, so that inference needs a threshold."""
    return config.architecture in ("batchtopk", "matryoshka_batchtopk")


def penalty(config: SaeConfig, step: int) -> float:
    """λ of the L1 or L0 norm in step `step`, at scaled data: a linear rise to its value."""
    if config.architecture == "jumprelu":
        value, share = config.l0_coefficient, config.l0_warmup_share
    else:
        value, share = config.l1_coefficient, config.l1_warmup_share
    warm = share * config.steps
    return value * (min(1.0, (step + 1) / warm) if warm else 1.0)


def outcome(state: TrainingState, config: SaeConfig, x: Float[Tensor, "b d"], buffers: dict[str, Tensor]) -> Outcome:
    """Loss and gradients of the state's next step on scaled data."""
    if config.architecture in SPARSE_BY_COUNT:
        dead = state.since_fired > config.dead_after
        shared = (state.statistics.variance, dead, config.aux_k, config.aux_coefficient, buffers, config.precision)
        if config.architecture == "topk":
            return topk.step(state.weights, x, config.k, *shared)
        if config.architecture == "batchtopk":
            return batchtopk.step(state.weights, x, config.k, *shared)
        return matryoshka.step(state.weights, x, config.k, config.nested_widths, *shared)
    weight = penalty(config, state.step)
    if config.architecture == "jumprelu":
        return jumprelu.step(state.weights, x, weight, config.bandwidth, buffers, config.precision)
    loss = {"relu": relu_l1, "relu_decoder_norm": relu_decoder_norm, "gated": gated}[config.architecture]
    if fold.has_pre_bias(config):
        return loss.step(state.weights, x, weight, buffers, config.precision)
    result = loss.step(fold.with_pre_bias(state.weights), x, weight, buffers, config.precision)
    return replace(result, gradients=fold.gradients_without_pre_bias(result.gradients, state.weights))


def per_input(state: TrainingState, config: SaeConfig, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    """relu: the training loss of each input, for resampling."""
    weights = state.weights if fold.has_pre_bias(config) else fold.with_pre_bias(state.weights)
    return relu_l1.per_input(weights, x, penalty(config, state.step))


def remember_smallest_(state: TrainingState, config: SaeConfig, smallest: Float[Tensor, ""]) -> None:
    """Running mean of the smallest kept values: of all steps at first, then of about the last MEMORY_SHARE."""
    share = max(1 / (state.step + 1), 1 / max(1.0, MEMORY_SHARE * config.steps))
    state.inference_threshold = torch.lerp(state.inference_threshold, smallest.to(state.inference_threshold), share)
