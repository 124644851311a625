"""Compiled loops against tensor operations."""

import pytest
import torch

from scripts.monosem.toy import data, models


@pytest.mark.parametrize("relu_hidden", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("n, m", [(2, 1), (5, 2), (8, 3)])
def test_loss_and_gradients_equal_autograd(relu_hidden, relu, n, m):
    source = torch.Generator().manual_seed(n)

    def normal(*shape):
        return torch.randn(*shape, generator=source)

    start = [normal(3, 4, 2, m, n), normal(3, 4, 2, m, n), normal(3, 4, 2, n)]
    shared = normal(2, 50, n), normal(2, 50, n), torch.rand(2, 50, generator=source), normal(4, 1, n).abs()
    results = []
    for dtype in (torch.float32, torch.float64):  # loops, and tensor operations
        leaves = [tensor.to(dtype).requires_grad_() for tensor in start]
        loss = models.two_layer_loss(*leaves, *(tensor.to(dtype) for tensor in shared), relu_hidden, relu)
        scale = torch.arange(24.0, dtype=dtype).reshape(3, 4, 2)
        results.append([loss, *torch.autograd.grad((loss * scale).sum(), leaves)])
    for ours, known in zip(*results, strict=True):
        torch.testing.assert_close(ours, known.float(), rtol=1e-4, atol=1e-3)


def test_loops_and_tensor_operations_fill_the_same_samples():
    source = torch.Generator().manual_seed(0)
    u, p = torch.rand(2, 300, 7, generator=source), torch.tensor([[1.0] * 7, [0.2] * 7])
    first = torch.randint(7, (2, 300), generator=source)
    filled = u.new_empty(2, 300, 7)
    data.fill_non_empty(u, p, first, filled)
    index = torch.arange(7)
    after = torch.where((u < p[:, None]) & (index > first[..., None]), u / p[:, None], 0.0)
    torch.testing.assert_close(filled, torch.where(index == first[..., None], u, after))
