"""BatchTopK with AuxK: Bussmann, Leask & Nanda 2024, 'BatchTopK sparse autoencoders'.

    z = (x − b_dec) W_enc + b_enc                     for the n vectors of a batch
    f = relu(z) where it is among the n·k largest of the batch, else 0
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b ‖x − x̂‖² / V  +  α · AuxK              AuxK, V as in losses/auxk.py

A vector gets as many latents as it needs; k is the mean. At inference no vector may depend on the others of its batch:
a latent is on where z exceeds one threshold, the mean over batches of the smallest value kept, which gives the same L0
on average. The SAE is then a JumpReLU one and is saved as such.

Training starts as in topk.py, from the latents that the first batch keeps: it gives most of them to long vectors, which
the scale of TopK would make many times too long.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.kernels import select, sparse
from scripts.monosem.sae.kernels.encode import encode_batch_topk
from scripts.monosem.sae.losses import Outcome, TrainingPoint, auxk
from scripts.monosem.sae.parameters import Parameters
from scripts.monosem.sae.training.initialise import first_pre_activations, length_ratio

ARCHITECTURE = Architecture(
    position=4,
    label="BatchTopK",
    marker="s",
    required=("k",),
    optional=("aux_k", "aux_coefficient", "decoder_init"),
    saved_as="jumprelu",
    on_where="z is among the n·k largest of a batch of n; at inference above one threshold (Bussmann et al. 2024)",
    trained_on="AuxK",
    use_for="vectors that need more or fewer latents than others",
)


def start(
    sample: Float[Tensor, "n d_in"],
    b_dec: Float[Tensor, " d_in"],
    decoder: Float[Tensor, "d_sae d_in"],
    config: SaeConfig,
    generator: torch.Generator,
) -> Parameters:
    """Encoder along the decoder, as long as the largest latents of the batch require."""
    centred, pre = first_pre_activations(sample, b_dec, decoder)
    count = config.k * len(pre)
    codes, _ = select.largest_of_batch(select.batch_candidates(pre, count), count)
    encoder = decoder * length_ratio(centred, sparse.decode(codes, decoder))
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
    codes, smallest_kept, centred = encode_batch_topk(weights, x, k, precision, buffers)
    result = auxk.from_codes(weights, codes, centred, variance, dead, aux_k, aux_coefficient, buffers, precision)
    return replace(result, smallest_kept=smallest_kept)
