import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.toy import data
from scripts.monosem.toy.theory import superposition


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("p", [1.0, 0.3, 0.05])
def test_monte_carlo_of_share_mean_and_variance(p):
    x = data.sample(torch.full((1, 10), p), 100_000, generator())[0].double()
    n = x.numel()
    assert (x > 0).double().mean().item() == pytest.approx(p, abs=4 * (p / n) ** 0.5 + 1e-6)
    assert x.mean().item() == pytest.approx(superposition.feature_mean(p), abs=4 * (p / 3 / n) ** 0.5)
    assert x.var().item() == pytest.approx(superposition.feature_variance(p), rel=0.02)


def test_values_are_uniform_on_the_unit_interval_when_on():
    # The trap: one draw for gate and value, unscaled, would give values in [0, p].
    x = data.sample(torch.full((1, 10), 0.1), 50_000, generator())
    on = x[x > 0]
    quantiles = torch.quantile(on, torch.tensor([0.1, 0.5, 0.9]))
    assert quantiles.tolist() == pytest.approx([0.1, 0.5, 0.9], abs=0.01)
    assert on.max() <= 1.0


@settings(max_examples=15, deadline=None)
@given(p=st.lists(st.floats(0.001, 1.0), min_size=2, max_size=8), seed=st.integers(0, 2**31))
def test_non_empty_samples_are_never_empty(p, seed):
    x = data.stratified_batch(torch.tensor([p]), 501, generator(seed)).x[:, 1:]
    assert bool((x > 0).any(-1).all())


def test_stratified_batch_has_the_moments_of_plain_sampling():
    probability = torch.tensor([[0.5, 0.02, 0.2, 0.01], [0.01, 0.01, 0.01, 0.01]])
    batch = data.stratified_batch(probability, 200_001, generator())
    assert batch.weight.sum(-1).tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    mean = (batch.weight[..., None] * batch.x).sum(1)
    assert torch.allclose(mean, probability / 2, rtol=0.05)
    second = torch.einsum("ls,lsi,lsj->lij", batch.weight, batch.x, batch.x)
    expected = probability[:, :, None] * probability[:, None, :] / 4
    expected.diagonal(dim1=1, dim2=2).copy_(probability / 3)
    assert torch.allclose(second, expected, rtol=0.1, atol=2e-5)


def test_empty_input_carries_exactly_its_probability():
    probability = torch.tensor([[0.1] * 20, [1.0] * 20])
    batch = data.stratified_batch(probability, 16, generator())
    assert bool((batch.x[:, 0] == 0).all())
    assert batch.weight[:, 0].tolist() == pytest.approx([0.9**20, 0.0])


def test_stratified_estimates_are_far_less_noisy_at_high_sparsity():
    probability = torch.full((1, 20), 0.001)
    source = generator()
    plain = [data.sample(probability, 100, source).square().sum(-1).mean().item() for _ in range(200)]
    weighted = []
    for _ in range(200):
        batch = data.stratified_batch(probability, 100, source)
        weighted.append((batch.weight * batch.x.square().sum(-1)).sum().item())
    assert torch.tensor(weighted).std() < 0.25 * torch.tensor(plain).std()
    assert torch.tensor(weighted).mean().item() == pytest.approx(20 * 0.001 / 3, rel=0.03)
