"""TopK with AuxK: Gao et al. 2024, 'Scaling and evaluating sparse autoencoders', and its code.

    f  = relu(TopK_k((x − b_dec) W_enc + b_enc))          (as in their released code)
    x̂  = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L  = mean_b ‖x − x̂‖² / V  +  α · AuxK                  AuxK, V as in losses/auxk.py

Training starts with a unit decoder and an encoder that is its transpose, scaled so that the first reconstructions have
the data's length (Gao et al. 2024 and the released code).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.kernels import select, sparse
from scripts.monosem.sae.kernels.encode import encode_topk
from scripts.monosem.sae.losses import Outcome, TrainingPoint, auxk
from scripts.monosem.sae.parameters import Parameters
from scripts.monosem.sae.training.initialise import first_pre_activations, length_ratio

ARCHITECTURE = Architecture(
    position=3,
    label="TopK",
    marker="o",
    required=("k",),
    optional=("aux_k", "aux_coefficient", "decoder_init"),
    saved_as="topk",
    on_where="z is among the k largest of its vector",
    trained_on="AuxK for dead latents (Gao et al. 2024)",
    use_for="the default: L0 is set, not searched for",
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """Encoder along the decoder, as long as the k largest latents of a vector require."""
    centred, pre = first_pre_activations(sample, b_dec, decoder)
    reconstruction = sparse.decode(select.topk_codes(pre, config.k), decoder)
    encoder = decoder * length_ratio(centred, reconstruction)
    return Parameters(encoder, torch.zeros(len(decoder)), decoder, b_dec)


def outcome(
    at: TrainingPoint, config: SaeConfig, x: Float[Tensor, "batch d_in"], buffers: dict[str, Tensor]
) -> Outcome:
    """Loss and gradients of the next step."""
    return step(at.weights, x, config.k, *auxk.arguments(at, config, buffers))


def step(
    weights: Parameters,
    x: Float[Tensor, "batch d_in"],
    k: int,
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
    aux_coefficient: float,
    buffers: dict[str, Tensor],
    precision: str = "float32",
) -> Outcome:
    """Loss and gradients of one batch. Only the encoder's product is dense (and AuxK in the dead latents)."""
    codes, centred = encode_topk(weights, x, k, precision, buffers)
    return auxk.from_codes(weights, codes, centred, variance, dead, aux_k, aux_coefficient, buffers, precision)
