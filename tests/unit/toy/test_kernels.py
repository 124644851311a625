"""Compiled loops against tensor operations."""

import pytest
import torch

from scripts.monosem.toy import data, models


@pytest.mark.parametrize("output", ["relu", "linear"])
@pytest.mark.parametrize("n, m", [(2, 1), (5, 2), (8, 3)])
def test_loss_and_gradients_equal_autograd(output, n, m):
    source = torch.Generator().manual_seed(n)
    start = models.initialise((3, 4, 2), n, m, source)._replace(b=0.3 * torch.randn(3, 4, 2, n, generator=source))
    x = data.sample(torch.full((2, n), 0.6), 50, source)
    weight, importance = torch.rand(2, 50, generator=source), torch.rand(4, 1, n, generator=source)
    expected = models.Parameters(*(tensor.double().requires_grad_() for tensor in start))
    error = (models.forward(expected, x.double(), output) - x).square() * importance[..., None, :]
    losses = (error.sum(-1) * weight).sum(-1)
    ours = models.Parameters(*(tensor.requires_grad_() for tensor in start))
    computed = models.reconstruction_loss(ours, data.Batch(x, weight), importance, output)
    torch.testing.assert_close(computed, losses.float())
    scale = torch.rand(3, 4, 2, generator=source)
    pairs = [torch.autograd.grad((loss * scale).sum(), list(p)) for loss, p in ((computed, ours), (losses, expected))]
    for gradient, known in zip(*pairs, strict=True):
        torch.testing.assert_close(gradient, known.float(), rtol=1e-4, atol=1e-5)


def test_loops_and_tensor_operations_fill_the_same_samples():
    source = torch.Generator().manual_seed(0)
    u, p = torch.rand(2, 300, 7, generator=source), torch.tensor([[1.0] * 7, [0.2] * 7])
    first = torch.randint(7, (2, 300), generator=source)
    filled = u.new_empty(2, 300, 7)
    data.fill_non_empty(u, p, first, filled)
    index = torch.arange(7)
    after = torch.where((u < p[:, None]) & (index > first[..., None]), u / p[:, None], 0.0)
    assert torch.equal(filled, torch.where(index == first[..., None], u, after))
