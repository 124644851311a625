"""Hand-written gradients against float64 autograd of the textbook equations."""

import pytest
import torch

from scripts.monosem.sae import parameters
from scripts.monosem.sae.architectures import (
    batchtopk,
    gated,
    jumprelu,
    matryoshka_batchtopk,
    relu,
    relu_decoder_norm,
    topk,
)
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.kernels import encode, select
from scripts.monosem.sae.kernels import sparse as sparse_kernels
from scripts.monosem.sae.losses import active_entries
from scripts.monosem.sae.training import objective
from scripts.monosem.sae.training.loop import update_
from tests.helpers.sae_toys import random_parameters, state_of

D_IN, D_SAE, N = 6, 64, 33


def data(seed=0):
    return torch.randn(N, D_IN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def _kernels(request, monkeypatch):
    """The CPU's loops, and what other devices use."""
    if request.param == "torch":
        for module in (sparse_kernels, select):
            monkeypatch.setattr(module, "is_compiled", lambda x: False)


def textbook_gradients(weights, loss):
    """Autograd of loss(W_enc, b_enc, W_dec, b_dec, …), in the layout of Parameters."""
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in weights.tensors().items()}
    encoder, *others = leaves.values()
    value = loss(encoder.T, *others)
    value.backward()
    return value.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def assert_same(outcome, value, gradients):
    assert set(outcome.gradients.tensors()) == set(gradients)
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

    outcome = relu.step(weights, x, l1, {})
    assert (outcome.active / (N * D_SAE) <= active_entries.DENSE_ABOVE["float32"]) == sparse
    assert_same(outcome, *textbook_gradients(weights, loss))
    torch.testing.assert_close(relu.per_input(weights, x, l1).sum(), outcome.loss)
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


@pytest.mark.parametrize(("b_enc", "is_sparse"), [(0.0, False), (-2.2, True)])
def test_relu_with_decoder_norms(b_enc, is_sparse):
    weights, x, l1 = random_parameters(D_IN, D_SAE, b_enc=b_enc), data(), 0.37
    weights.decoder.mul_(torch.linspace(0.1, 3, D_SAE).unsqueeze(1))

    def loss(W_enc, b_enc, W_dec, b_dec):
        f = torch.relu((x - b_dec) @ W_enc + b_enc)
        return ((x - f @ W_dec - b_dec) ** 2).sum(1).mean() + l1 * (f * W_dec.norm(dim=1)).sum(1).mean()

    outcome = relu_decoder_norm.step(weights, x, l1, {})
    assert (outcome.active / (N * D_SAE) <= active_entries.DENSE_ABOVE["float32"]) == is_sparse
    assert_same(outcome, *textbook_gradients(weights, loss))


@pytest.mark.parametrize("architecture", ["relu", "relu_decoder_norm"])
def test_without_pre_encoder_bias(architecture):
    weights, x, l1 = random_parameters(D_IN, D_SAE, b_enc=-1.0), data(), 0.37
    options = {"pre_encoder_bias": False} if architecture == "relu" else {}
    options["precision"] = "float32"
    config = SaeConfig(architecture, D_SAE, vectors=N, batch_size=N, l1_coefficient=l1, **options)

    def loss(W_enc, b_enc, W_dec, b_dec):
        f = torch.relu(x @ W_enc + b_enc)
        norms = W_dec.norm(dim=1) if architecture == "relu_decoder_norm" else 1.0
        return ((x - f @ W_dec - b_dec) ** 2).sum(1).mean() + l1 * (f * norms).sum(1).mean()

    outcome = objective.outcome(state_of(weights), config, x, {})
    assert_same(outcome, *textbook_gradients(weights, loss))
    if architecture == "relu":
        torch.testing.assert_close(objective.loss_per_input(state_of(weights), config, x).sum(), outcome.loss)


def test_the_gradient_of_a_tied_decoder_is_that_of_one_matrix():
    weights, x, l1 = random_parameters(D_IN, D_SAE, b_enc=-1.0), data(), 0.37
    weights.encoder.copy_(weights.decoder)
    config = SaeConfig(
        "relu",
        D_SAE,
        vectors=N,
        batch_size=N,
        l1_coefficient=l1,
        tied_decoder=True,
        project_gradient=False,
        precision="float32",
    )

    def loss(_, b_enc, W_dec, b_dec):
        f = torch.relu((x - b_dec) @ W_dec.T + b_enc)
        return ((x - f @ W_dec - b_dec) ** 2).sum(1).mean() + l1 * f.sum(1).mean()

    leaves = {name: tensor.clone().requires_grad_() for name, tensor in weights.tensors().items()}
    loss(None, leaves["b_enc"], leaves["decoder"], leaves["b_dec"]).backward()
    state = state_of(weights)
    gradients = objective.outcome(state, config, x, {}).gradients
    update_(state, config, gradients)
    torch.testing.assert_close(gradients.decoder, leaves["decoder"].grad)
    assert torch.equal(state.weights.encoder, state.weights.decoder)
    assert (state.weights.decoder.norm(dim=1) - 1).abs().max() < 1e-12


class Jump(torch.autograd.Function):
    """z · H(z − θ) with the straight-through estimate for θ."""

    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return z * (z > theta)

    @staticmethod
    def backward(ctx, gradient):
        z, theta = ctx.saved_tensors
        kernel = ((z - theta) / ctx.width).abs() < 0.5
        return gradient * (z > theta), (-theta / ctx.width * kernel * gradient).sum(0), None


class Step(torch.autograd.Function):
    """H(z − θ) with the straight-through estimate for θ, and nothing for z."""

    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return (z > theta).to(z)

    @staticmethod
    def backward(ctx, gradient):
        z, theta = ctx.saved_tensors
        kernel = ((z - theta) / ctx.width).abs() < 0.5
        return None, (-1 / ctx.width * kernel * gradient).sum(0), None


@pytest.mark.parametrize(("b_enc", "is_sparse"), [(0.0, False), (-2.0, True)])
def test_jumprelu(b_enc, is_sparse):
    weights, x, l0, width = random_parameters(D_IN, D_SAE, b_enc, extra={"threshold"}), data(), 0.21, 0.4

    def loss(W_enc, b_enc, W_dec, b_dec, theta):
        z = (x - b_dec) @ W_enc + b_enc
        f = Jump.apply(z, theta, width)
        return ((x - f @ W_dec - b_dec) ** 2).sum(1).mean() + l0 * Step.apply(z, theta, width).sum(1).mean()

    outcome = jumprelu.step(weights, x, l0, width, {})
    assert (outcome.active / (N * D_SAE) <= active_entries.DENSE_ABOVE["float32"]) == is_sparse
    assert_same(outcome, *textbook_gradients(weights, loss))


def test_jumprelu_thresholds_follow_the_gradient_of_the_expected_loss():
    n, theta, width, l0 = 200_000, 0.7, 0.01, 0.3
    normal = torch.distributions.Normal(0.0, 1.0)
    z = normal.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n).unsqueeze(1)
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    weights = parameters.Parameters(one, zero, one.clone(), zero.clone(), threshold=zero + theta)
    gradient = jumprelu.step(weights, z, l0, width, {}).gradients.threshold.item()
    # E L = ∫_{z < θ} z² φ + λ P(z > θ), so dE L/dθ = (θ² − λ) φ(θ)
    exact = (theta**2 - l0) * normal.log_prob(torch.tensor(theta)).exp().item()
    assert gradient == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("rate", [1.0, 7.0])
def test_thresholds_move_at_their_own_rate_and_not_below_zero(rate):
    weights = random_parameters(D_IN, D_SAE, dtype=torch.float32, extra={"threshold"})
    weights.threshold[:2] = torch.tensor([1e-4, 1e4])
    config = SaeConfig(
        "jumprelu", D_SAE, vectors=N, batch_size=N, l0_coefficient=1.0, threshold_rate=rate, learning_rate=1e-3,
        warmup_steps=0, decay_share=0.0,
    )  # fmt: skip
    before, gradients = weights.clone(), weights.zeros()
    gradients.threshold[:4] = torch.tensor([1.0, 1.0, -2.0, 3.0])  # Adam's first step is the rate times the sign
    gradients.b_dec.fill_(1.0)
    state = state_of(weights)
    update_(state, config, gradients)
    moved = state.weights.threshold - before.threshold
    assert state.weights.threshold[0] == 0 and (moved[4:] == 0).all()
    torch.testing.assert_close(moved[2:4], rate * torch.tensor([1e-3, -1e-3]), rtol=1e-3, atol=0)
    torch.testing.assert_close(state.weights.b_dec - before.b_dec, torch.full((D_IN,), -1e-3), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("b_enc", "is_sparse"), [(0.0, False), (-2.2, True)])
def test_gated(b_enc, is_sparse):
    weights, x, l1 = random_parameters(D_IN, D_SAE, b_enc, extra={"r_mag", "b_mag"}), data(), 0.37
    weights.b_mag.sub_(b_enc)

    def loss(W_enc, b_gate, W_dec, b_dec, r_mag, b_mag):
        centred = x - b_dec
        pi = centred @ W_enc + b_gate
        f = (pi > 0) * torch.relu(centred @ (W_enc * r_mag.exp()) + b_mag)
        via_gate = torch.relu(pi) @ W_dec.detach() + b_dec.detach()
        return (
            ((x - f @ W_dec - b_dec) ** 2).sum(1).mean()
            + l1 * torch.relu(pi).sum(1).mean()
            + ((x - via_gate) ** 2).sum(1).mean()
        )

    outcome = gated.step(weights, x, l1, {})
    assert (outcome.active / (N * D_SAE) <= active_entries.DENSE_ABOVE["float32"]) == is_sparse
    assert_same(outcome, *textbook_gradients(weights, loss))


def batch_code(pre, k):
    """relu of the n·k largest of all entries."""
    best = torch.relu(pre).flatten().topk(k * len(pre))
    return torch.zeros_like(pre).flatten().scatter(0, best.indices, best.values).view_as(pre)


def auxiliary(pre, e, W_dec, dead, k_aux):
    best = pre.masked_fill(~dead, -torch.inf).topk(min(k_aux, int(dead.sum())), dim=1)
    f_aux = torch.zeros_like(pre).scatter(1, best.indices, torch.relu(best.values))
    return ((e - f_aux @ W_dec) ** 2).sum() / ((e - e.mean(0)) ** 2).sum()


@pytest.mark.parametrize("widths", [None, (2, 20, D_SAE), (D_SAE,)])
@pytest.mark.parametrize("n_dead", [0, 5, 40])
def test_batchtopk_and_matryoshka(widths, n_dead):
    k, k_aux, alpha, variance = 3, 8, 1 / 32, 5.5
    weights, x = random_parameters(D_IN, D_SAE), data(1)
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    dead[torch.randperm(D_SAE, generator=torch.Generator().manual_seed(2))[:n_dead]] = True

    def loss(W_enc, b_enc, W_dec, b_dec):
        pre = (x - b_dec) @ W_enc + b_enc
        f, total = batch_code(pre, k), 0.0
        for m in widths or (D_SAE,):
            error = x - f[:, :m] @ W_dec[:m] - b_dec
            total = total + (error**2).sum(1).mean() / variance
        if n_dead:
            total = total + alpha * auxiliary(pre, error.detach(), W_dec, dead, k_aux)
        return total

    if widths is None:
        outcome = batchtopk.step(weights, x, k, variance, dead, k_aux, alpha, {})
    else:
        outcome = matryoshka_batchtopk.step(weights, x, k, widths, variance, dead, k_aux, alpha, {})
    assert_same(outcome, *textbook_gradients(weights, loss))
    pre = (x - weights.b_dec) @ weights.encoder.T + weights.b_enc
    f = batch_code(pre, k)
    assert torch.equal(outcome.fired, (f > 0).any(0))
    assert outcome.active == k * N and outcome.smallest_kept == f[f > 0].min()


@pytest.mark.parametrize("last", [1e-3, 0.5, 5.0, 1e9])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_batchtopk_keeps_does_not_depend_on_the_last_batch(last, precision):
    weights, x = random_parameters(D_IN, D_SAE, dtype=torch.float32), data(4).float()
    fresh, smallest, _ = encode.encode_batch_topk(weights, x, 3, precision, {})
    again, same, _ = encode.encode_batch_topk(weights, x, 3, precision, {"smallest kept": torch.tensor(last)})
    assert smallest == same and len(fresh.values) == 3 * N
    for name in ("values", "latents", "offsets"):
        assert torch.equal(getattr(fresh, name), getattr(again, name))


def test_batchtopk_keeps_only_positive_entries():
    pre = -torch.ones(4, 6)
    codes, smallest = select.largest_of_batch(select.batch_candidates(pre, 8), 8)
    assert len(codes.values) == 0 and smallest == 0
    pre[1, 2] = 0.5
    codes, smallest = select.largest_of_batch(select.batch_candidates(pre, 8), 8)
    assert codes.values.tolist() == [0.5] and codes.latents.tolist() == [2] and smallest == 0.5
    assert codes.offsets.tolist() == [0, 0, 1, 1, 1]


def test_batchtopk_keeps_as_many_of_equal_entries_as_there_is_room_for():
    pre = torch.tensor([[1.0, 2.0, 1.0], [3.0, 1.0, 0.5]])
    codes, smallest = select.largest_of_batch(select.codes_above(pre, 0.0), 3)
    assert codes.values.tolist() == [1.0, 2.0, 3.0] and codes.latents.tolist() == [0, 1, 0] and smallest == 1
    assert codes.offsets.tolist() == [0, 2, 3]


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
    gradients = relu.step(state.weights, data().float(), 0.1, {}).gradients
    update_(state, config, gradients)
    assert (state.weights.decoder.norm(dim=1) - 1).abs().max() < 1e-6
    assert (state.weights.decoder - old).abs().max() > 1e-2
    assert (state.first_moment.decoder * old).sum(1).abs().max() < 1e-6
