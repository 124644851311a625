"""The active latents of any autoencoder as sparse codes, whatever its architecture."""

import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.sae import kernels
from scripts.monosem.sae.architectures import Sae, pre_activations
from scripts.monosem.sae.kernels import Codes


def encode(sae: Sae, x: Float[Tensor, "n d_in"]) -> Codes:
    """Codes of every row; the dense pre-activations [n, d_sae] live only within this call."""
    pre = pre_activations(sae, x)
    return kernels.topk_codes(pre, sae.k) if sae.k is not None else kernels.positive_codes(pre, pre > 0)


def decode(sae: Sae, codes: Codes) -> Float[Tensor, "n d_in"]:
    """f W_dec + b_dec."""
    return kernels.decode(codes, sae.W_dec) + sae.b_dec


def concatenate(parts: list[Codes]) -> Codes:
    """Codes of several batches as those of one."""
    offsets, done = [torch.zeros_like(parts[0].offsets[:1])], 0
    for codes in parts:
        offsets.append(codes.offsets[1:] + done)
        done += len(codes.values)
    return Codes(
        torch.cat([codes.values for codes in parts]), torch.cat([codes.latents for codes in parts]), torch.cat(offsets)
    )
