"""Work of training and applying sparse autoencoders."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.workflow.estimates.work import Work

TRAINING = {
    "topk": 2.1,
    "batchtopk": 2.2,
    "matryoshka_batchtopk": 2.3,
    "jumprelu": 2.9,
    "gated": 4.1,
    "relu_decoder_norm": 3.0,
    "relu": 3.6,
}
"""Architecture -> time of a training step in multiples of its encoder's product, 2 · d_in · d_sae FLOPs per vector.

Measured over 60,000 vectors of 512 numbers with 2,048 and 4,096 latents on one thread in float32. A dense step has five
such products; a sparse one has the first, and loops over active latents.
"""
START_FLOPS = 60e9
"""Geometric median, first directions, compilation of the loops: as FLOPs of products of the same time."""
STEP_S = 0.003
"""Python and launches of one step."""
CODES = 1.5
"""Encoding and decoding of a vector, in the same multiples."""
BASE_BYTES = 4.2e8
"""Resident memory of Python, torch and the compiled loops."""


def encoder_flops(d_in: int, d_sae: int) -> float:
    """FLOPs of the encoder's product for one vector."""
    return 2.0 * d_in * d_sae


def training(d_in: int, run: Mapping[str, Any]) -> Work:
    """Work of training one run (keys of `sae.runs` over `sae.defaults`) on vectors of `d_in` numbers.

    Memory: weights, their gradients and two moments of Adam in float32, and three arrays [batch, d_sae].
    """
    vectors, d_sae, batch = run["vectors"], run["d_sae"], run["batch_size"]
    encoder = encoder_flops(d_in, d_sae) * vectors
    resample = run.get("resample") or {}
    sampled = 4.0 * d_in * max(resample.get("inputs", 0), 32_768)
    return Work(
        products=TRAINING[run["architecture"]] * encoder,
        low=encoder if run.get("precision", "auto") == "auto" else 0.0,
        passes=START_FLOPS,
        interpreter_s=STEP_S * vectors / batch,
        memory_bytes=BASE_BYTES + 4.0 * (4 * 2 * d_in * d_sae + 3 * batch * d_sae) + 2 * sampled,
        disk_bytes=weight_bytes(d_in, d_sae),
    )


def codes(d_in: int, d_sae: int, tokens: float) -> Work:
    """Work of encoding and decoding as many vectors."""
    return Work(products=CODES * encoder_flops(d_in, d_sae) * tokens, memory_bytes=weight_bytes(d_in, d_sae))


def weight_bytes(d_in: int, d_sae: int) -> float:
    """Size of the saved weights: encoder, decoder and two vectors of d_sae, in float32."""
    return 4.0 * (2 * d_in + 2) * d_sae
