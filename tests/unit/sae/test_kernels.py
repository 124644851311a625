"""Sparse products against their dense definitions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.sae.kernels import select, sparse


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
    values, columns = select.topk(x, k)
    assert torch.equal(values.sort(1, descending=True).values, x.topk(k, dim=1).values.relu())
    assert torch.equal(x.gather(1, columns).relu(), values)
    assert all(len(set(row)) == k for row in columns.tolist())


@pytest.fixture(params=["compiled", "torch"])
def _kernels(request, monkeypatch):
    """The CPU's loops, and what other devices use."""
    if request.param == "torch":
        for module in (sparse, select):
            monkeypatch.setattr(module, "is_compiled", lambda x: False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 1100])  # 1100: not a multiple of the rows at a time
def test_entries_above_a_bound_of_either_sign(_kernels, dtype, n):
    generator = torch.Generator().manual_seed(n)
    pre = torch.randn(n, 70, generator=generator).to(dtype)
    bounds = torch.randn(70, generator=generator)
    bounds[:6] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, pre[0, 4], pre[0, 5]])  # what equals is not above
    bounds = bounds.to(torch.promote_types(dtype, torch.float32))
    codes = select.codes_above(pre, bounds)
    expected = pre.to(bounds.dtype) > bounds
    rows = torch.repeat_interleave(torch.arange(n), codes.offsets.diff())
    assert torch.equal(torch.stack([rows, codes.latents.long()]), expected.nonzero().T)
    assert torch.equal(codes.values, pre.to(bounds.dtype)[expected])
    assert select.codes_above(pre, bounds, share=0.1) is None


@pytest.mark.parametrize("nested", [1, 3])
def test_a_reconstruction_and_its_gradients_are_those_of_dense_products(_kernels, nested):
    generator = torch.Generator().manual_seed(0)
    n, d_sae, d_in, factor = 7, 12, 70, 0.3
    f = torch.randn(n, d_sae, generator=generator, dtype=torch.float64).sub(0.5).relu()
    f[3] = 0  # a vector on which nothing fires
    decoder = torch.randn(d_sae, d_in, generator=generator, dtype=torch.float64)
    target = torch.randn(n, d_in, generator=generator, dtype=torch.float64)
    widths = {1: (d_sae,), 3: (2, 5, d_sae)}[nested]
    codes = select.nested_groups(select.codes_above(f, 0.0), widths)
    out = sparse.reconstruct(codes, sparse.table_of(decoder), sparse.table_of(target), factor, nested)
    entries = sparse.by_latent(codes, d_sae)
    memory = torch.empty(d_sae, d_in, dtype=torch.float64)

    leaves = [f.clone().requires_grad_(), decoder.clone().requires_grad_()]
    errors = torch.stack([leaves[0][:, :width] @ leaves[1][:width] - target for width in widths], 1)
    (factor / 2 * errors.square().sum()).backward()
    torch.testing.assert_close(out.squares.view(n, nested), errors.detach().square().sum(2))
    torch.testing.assert_close(out.grad_values, leaves[0].grad[f > 0])
    torch.testing.assert_close(sparse.sum_by_latent(entries, codes.values, out.grad_decoded, memory), leaves[1].grad)
    torch.testing.assert_close(sparse.totals_by_latent(entries, out.grad_values), (leaves[0].grad * (f > 0)).sum(0))
    inputs = sparse.sum_by_latent(entries, codes.values, sparse.table_of(target), memory)
    torch.testing.assert_close(inputs, f.T @ target)
    torch.testing.assert_close(sparse.decode(select.codes_above(f, 0.0), decoder), f @ decoder)
    assert torch.equal(sparse.matrix_of(sparse.table_of(target), d_in), target)


def test_columns_of_a_bfloat16_matrix_are_summed_in_float32_whatever_the_threads():
    matrix = (torch.randn(3000, 75, generator=torch.Generator().manual_seed(0)) + 1).bfloat16()
    before, sums = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            sums.append(sparse.sum_columns(matrix))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(sums[0].double(), matrix.double().sum(0), rtol=1e-5, atol=1e-3)
    assert torch.equal(sums[0], sums[1]) and torch.equal(sums[0], sums[2])
    assert torch.equal(sparse.sum_columns(torch.ones(3001, 2).bfloat16()), torch.tensor([3001.0, 3001.0]))
