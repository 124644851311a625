"""Sparse products against their dense definitions."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.sae import kernels


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 5),
    blocks=st.sampled_from([3, 8, 13, 64, 256]),
    k=st.integers(1, 6),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_blockwise_topk_keeps_the_largest(n, blocks, k, ties, seed):
    x = torch.randn(n, blocks * 8, generator=torch.Generator().manual_seed(seed))
    if ties:
        x = x.mul(2).round()
    values, columns = kernels.topk(x, k)
    assert torch.equal(values.sort(1, descending=True).values, x.topk(k, dim=1).values.relu())
    assert torch.equal(x.gather(1, columns).relu(), values)
    assert all(len(set(row)) == k for row in columns.tolist())


def test_sparse_products_equal_dense_ones():
    generator = torch.Generator().manual_seed(0)
    f = torch.randn(7, 12, generator=generator, dtype=torch.float64).sub(0.8).relu()
    f[3] = 0  # a vector on which nothing fires
    decoder = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    slope = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    codes = kernels.positive_codes(f)
    out, pullback = kernels.decode_with_pullback(codes, decoder)
    torch.testing.assert_close(out, f @ decoder)
    torch.testing.assert_close(kernels.decode(codes, decoder), f @ decoder)
    torch.testing.assert_close(pullback(slope), (slope @ decoder.T)[f > 0])
    entries = kernels.by_latent(codes, 12)
    torch.testing.assert_close(kernels.sum_by_latent(entries, codes.values, slope), f.T @ slope)
