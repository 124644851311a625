"""Hand-written gradients against float64 autograd of the textbook equations."""

import pytest
import torch

from scripts.monosem.sae import kernels, parameters
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.losses import relu_l1, topk
from scripts.monosem.sae.training import update_
from tests.unit.sae_toys import random_parameters, state_of

D_IN, D_SAE, N = 6, 64, 33


def data(seed=0):
    return torch.randn(N, D_IN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def _kernels(request, monkeypatch):
    """The CPU's loops, and what other devices use."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "is_compiled", lambda x: False)


def textbook_gradients(weights, loss):
    """Autograd of loss(W_enc, b_enc, W_dec, b_dec), in the layout of Parameters."""
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in weights.tensors().items()}
    value = loss(leaves["encoder"].T, leaves["b_enc"], leaves["decoder"], leaves["b_dec"])
    value.backward()
    return value.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def assert_same(outcome, value, gradients):
    assert abs(outcome.loss / N - value) < 1e-10
    for name, gradient in outcome.gradients.tensors().items():
        assert (gradient - gradients[name]).abs().max() < 1e-10, name
        assert gradient.abs().max() > 1e-3, f"{name}: the comparison would be empty"


@pytest.mark.parametrize(("b_enc", "sparse"), [(0.0, False), (-2.2, True)])
def test_relu_l1(b_enc, sparse):
    weights, x, l1 = random_parameters(D_IN, D_SAE, b_enc=b_enc), data(), 0.37

    def loss(W_enc, b_enc, W_dec, b_dec):
        f = torch.relu((x - b_dec) @ W_enc + b_enc)
        return ((x - f @ W_dec - b_dec) ** 2).sum(1).mean() + l1 * f.sum(1).mean()

    outcome = relu_l1.step(weights, x, l1, {})
    assert (outcome.active / (N * D_SAE) <= relu_l1.DENSE_ABOVE["float32"]) == sparse
    assert_same(outcome, *textbook_gradients(weights, loss))
    torch.testing.assert_close(relu_l1.per_input(weights, x, l1).sum(), outcome.loss)
    f = torch.relu((x - weights.b_dec) @ weights.encoder.T + weights.b_enc)
    assert torch.equal(outcome.fired, (f > 0).any(0))


@pytest.mark.parametrize("n_dead", [0, 5, 40])  # 40 > k_aux: only the largest of the dead take part
def test_topk_with_auxk(n_dead):
    k, k_aux, alpha, variance = 3, 8, 1 / 32, 5.5
    weights, x = random_parameters(D_IN, D_SAE), data(1)
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    dead[torch.randperm(D_SAE, generator=torch.Generator().manual_seed(2))[:n_dead]] = True

    def loss(W_enc, b_enc, W_dec, b_dec):
        pre = (x - b_dec) @ W_enc + b_enc
        best = pre.topk(k, dim=1)
        f = torch.zeros_like(pre).scatter(1, best.indices, torch.relu(best.values))
        error = x - f @ W_dec - b_dec
        total = (error**2).sum(1).mean() / variance
        if n_dead:
            e = error.detach()
            best = pre.masked_fill(~dead, -torch.inf).topk(min(k_aux, n_dead), dim=1)
            f_aux = torch.zeros_like(pre).scatter(1, best.indices, torch.relu(best.values))
            total = total + alpha * ((e - f_aux @ W_dec) ** 2).sum() / ((e - e.mean(0)) ** 2).sum()
        return total

    outcome = topk.step(weights, x, k, variance, dead, k_aux, alpha, {})
    assert_same(outcome, *textbook_gradients(weights, loss))


def test_projected_gradient_is_orthogonal_to_the_dictionary():
    weights = random_parameters(D_IN, D_SAE)
    gradient = torch.randn(D_SAE, D_IN, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    tangential = gradient.clone()
    parameters.remove_parallel_(tangential, weights.decoder)
    assert (tangential * weights.decoder).sum(1).abs().max() < 1e-12
    removed = gradient - tangential
    torch.testing.assert_close(removed, (gradient * weights.decoder).sum(1, keepdim=True) * weights.decoder)


def test_rows_are_unit_after_a_step_and_adam_saw_only_the_tangential_part():
    config = SaeConfig(
        "relu", D_SAE, vectors=100 * N, batch_size=N, l1_coefficient=0.1, learning_rate=0.1, warmup_steps=0
    )
    state = state_of(random_parameters(D_IN, D_SAE, dtype=torch.float32))
    old = state.weights.decoder.clone()
    gradients = relu_l1.step(state.weights, data().float(), 0.1, {}).gradients
    update_(state, config, gradients)
    assert (state.weights.decoder.norm(dim=1) - 1).abs().max() < 1e-6
    assert (state.weights.decoder - old).abs().max() > 1e-2
    assert (state.first_moment.decoder * old).sum(1).abs().max() < 1e-6
