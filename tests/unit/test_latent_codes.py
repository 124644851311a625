"""Sparse codes hold the same latents and reconstruction as the dense form."""

import pytest
import torch

from scripts.monosem import latent_codes
from scripts.monosem.sae import architectures


def make(k):
    generator = torch.Generator().manual_seed(0)
    shapes = {"W_enc": (6, 40), "b_enc": (40,), "W_dec": (40, 6), "b_dec": (6,)}
    weights = {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}
    return architectures.Sae({}, **weights, k=k), torch.randn(25, 6, generator=generator)


@pytest.mark.parametrize("k", [None, 1, 4])
def test_sparse_equals_dense_in_any_split(k):
    sae, x = make(k)
    dense = architectures.encode(sae, x)
    codes = latent_codes.concatenate([latent_codes.encode(sae, part) for part in x.split([7, 1, 17])])
    again = torch.zeros_like(dense)
    rows = torch.repeat_interleave(torch.arange(25), codes.offsets.diff())
    again[rows, codes.latents] = codes.values
    assert torch.allclose(again, dense, atol=1e-5)
    assert torch.allclose(latent_codes.decode(sae, codes), architectures.decode(sae, dense), atol=1e-4)
