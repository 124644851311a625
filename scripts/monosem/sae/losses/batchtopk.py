"""BatchTopK with AuxK: Bussmann, Leask & Nanda 2024, 'BatchTopK sparse autoencoders'.

    z = (x − b_dec) W_enc + b_enc                     for the n vectors of a batch
    f = relu(z) where it is among the n·k largest of the batch, else 0
    x̂ = f W_dec + b_dec,  ‖W_dec_i‖ = 1
    L = mean_b ‖x − x̂‖² / V  +  α · AuxK              AuxK, V as in topk.py

A vector gets as many latents as it needs; k is the mean. At inference no vector may depend on the others of its batch:
a latent is on where z exceeds one threshold, the mean over batches of the smallest value kept, which gives the same L0
on average. The SAE is then a JumpReLU one and is saved as such.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.losses import Outcome, encode, sparse_gradients
from scripts.monosem.sae.losses.topk import add_auxiliary_
from scripts.monosem.sae.parameters import Parameters

GUESS = 0.75  # of the last batch's smallest kept value: what is below is not even a candidate


def select(
    pre: Float[Tensor, "b d_sae"], k: int, buffers: dict[str, Tensor]
) -> tuple[kernels.Codes, Float[Tensor, ""]]:
    """The batch's codes and the smallest value kept. The last one, in `buffers`, makes it fast and changes nothing."""
    guess = GUESS * float(buffers["smallest_kept"]) if "smallest_kept" in buffers else 0.0
    codes, buffers["smallest_kept"] = kernels.batch_topk_codes(pre, k * len(pre), guess)
    return codes, buffers["smallest_kept"]


def step(
    weights: Parameters,
    x: Float[Tensor, "b d_in"],
    k: int,
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
    aux_coefficient: float,
    buffers: dict[str, Tensor],
) -> Outcome:
    """Loss and gradients of one batch. Only the encoder's product is dense (and AuxK in the dead latents)."""
    n, d_sae = len(x), len(weights.b_enc)
    centred, pre = encode(weights, x, buffers)
    codes, smallest_kept = select(pre, k, buffers)
    reconstruction, pullback = kernels.decode_with_pullback(codes, weights.decoder)
    error = reconstruction - centred
    squared_error = torch.linalg.vector_norm(error).square()
    slope = error * (2 / (n * variance))
    entries = kernels.by_latent(codes, d_sae)
    gradients = sparse_gradients(weights, codes, entries, pullback(slope), slope, centred)
    loss = squared_error / variance
    if aux_coefficient and bool(dead.any()):
        among = dead.nonzero().squeeze(1)
        loss = loss + n * add_auxiliary_(
            gradients, weights, centred, error, among, aux_k, aux_coefficient, "float32"
        )
    active = torch.tensor(len(codes.values), device=x.device)
    return Outcome(gradients, entries.offsets.diff() > 0, loss, squared_error, active, smallest_kept)
