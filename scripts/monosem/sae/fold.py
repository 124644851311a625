"""From the weights of training to those of the file: raw activations, unit rows, SAELens names.

Training without the pre-encoder bias, through losses that have one.

    f = relu(x W_enc + b_enc) = relu((x − b_dec) W_enc + b),   b = b_enc + b_dec W_enc

So the same autoencoder, written with b in place of b_enc, has a pre-encoder bias; only the gradients differ, by the
chain rule. Saved weights are written that way, too: files know one layout.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.parameters import Parameters


def has_pre_bias(config: SaeConfig) -> bool:
    """True if training subtracts b_dec before the encoder."""
    return config.pre_encoder_bias and ARCHITECTURES[config.architecture].pre_encoder_bias


def folded(
    weights: Parameters, scale: float, config: SaeConfig, inference_threshold: float | None = None
) -> dict[str, Tensor]:
    """Weights for raw activations in the SAELens layout: f(x) = f'(s·x)/s, x̂ = x̂'/s.

    Every architecture is positively homogeneous, so the biases and thresholds are divided by the scale s and the
    matrices stay. Rows of free length are brought to length 1, their encoder vector and bias multiplied by what they
    lose. An autoencoder without a pre-encoder bias gets the equal one with it (see above).

    Args: inference_threshold: the inference threshold of batchtopk, in the units of training.
    """
    if not has_pre_bias(config):
        weights = with_pre_bias(weights)
    encoder, b_enc, decoder = weights.encoder, weights.b_enc, weights.decoder
    if not config.unit_rows:
        norms = torch.linalg.vector_norm(decoder, dim=1)
        encoder, b_enc = encoder * norms.unsqueeze(1), b_enc * norms
        decoder = decoder / norms.clamp_min(1e-12).unsqueeze(1)
    tensors: dict[str, Any] = {
        "W_enc": encoder.t().contiguous(),
        "b_enc" if weights.r_mag is None else "b_gate": b_enc / scale,
        "W_dec": decoder.contiguous(),
        "b_dec": weights.b_dec / scale,
    }
    if weights.threshold is not None:
        tensors["threshold"] = weights.threshold / scale
    if inference_threshold is not None:
        tensors["threshold"] = torch.full_like(b_enc, inference_threshold / scale)
    if weights.r_mag is not None:
        tensors |= {"r_mag": weights.r_mag, "b_mag": weights.b_mag / scale}
    return tensors


def with_pre_bias(weights: Parameters) -> Parameters:
    """Weights of the same function in which b_dec is subtracted before the encoder."""
    return replace(weights, b_enc=weights.b_enc + weights.encoder @ weights.b_dec)


def gradients_without_pre_bias(gradients: Parameters, weights: Parameters) -> Parameters:
    """Gradients for `weights`, which have no pre-encoder bias, from those for with_pre_bias(weights), which change."""
    gradients.encoder.addr_(gradients.b_enc, weights.b_dec)
    return replace(gradients, b_dec=gradients.b_dec + gradients.b_enc @ weights.encoder)
