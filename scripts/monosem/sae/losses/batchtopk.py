"""BatchTopK with AuxK: Bussmann, Leask & Nanda 2024, 'BatchTopK sparse autoencoders'.

    z = (x − b_dec) W_enc + b_enc                     for the n vectors of a batch
    f = relu(z) where it is among the n·k largest of the batch, else 0
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b ‖x − x̂‖² / V  +  α · AuxK              AuxK, V as in topk.py

A vector gets as many latents as it needs; k is the mean. At inference no vector may depend on the others of its batch:
a latent is on where z exceeds one threshold, the mean over batches of the smallest value kept, which gives the same L0
on average. The SAE is then a JumpReLU one and is saved as such.
"""

from dataclasses import replace

from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae.kernels.encode import encode_batch_topk
from scripts.monosem.sae.losses import Outcome
from scripts.monosem.sae.losses.topk import from_codes
from scripts.monosem.sae.parameters import Parameters


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
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
    result = from_codes(weights, codes, centred, variance, dead, aux_k, aux_coefficient, buffers, precision)
    return replace(result, smallest_kept=smallest_kept)
