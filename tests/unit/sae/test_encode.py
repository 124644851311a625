"""The encoder's product in blocks of rows and in bfloat16, against the plain equation."""

import dataclasses

import pytest
import torch

from scripts.monosem.sae.architectures import relu, topk
from scripts.monosem.sae.kernels import encode, sparse
from tests.helpers.sae_toys import random_parameters

D_IN, D_SAE, N, K = 70, 200, 2100, 5  # 70: not a multiple of a column block; 2100: not of a row block


def world(dtype=torch.float32):
    weights = random_parameters(D_IN, D_SAE, dtype=dtype)
    return weights, torch.randn(N, D_IN, generator=torch.Generator().manual_seed(1), dtype=dtype)


def dense(codes, d_sae=D_SAE):
    rows = torch.repeat_interleave(torch.arange(len(codes.offsets) - 1), codes.offsets.diff())
    f = torch.zeros(len(codes.offsets) - 1, d_sae, dtype=codes.values.dtype)
    return f.index_put_((rows, codes.latents), codes.values, accumulate=True)


def test_in_float32_codes_are_those_of_the_equation():
    weights, x = world()
    codes, centred = encode.encode_topk(weights, x, K, "float32", {})
    pre = (x - weights.b_dec) @ weights.encoder.T + weights.b_enc
    best = pre.topk(K, dim=1)
    expected = torch.zeros_like(pre).scatter_(1, best.indices, best.values.relu())
    torch.testing.assert_close(dense(codes), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(centred.rows, x - weights.b_dec)
    torch.testing.assert_close(sparse.matrix_of(centred.table, D_IN), x - weights.b_dec)


def test_in_bfloat16_only_rounding_differs():
    weights, x = world()
    _, exact, _ = encode.encode_above(weights, x, 0.0, 1.0, "float32", {})
    _, rounded, _ = encode.encode_above(weights, x, 0.0, 1.0, "bfloat16", {})
    lengths = torch.linalg.vector_norm(x - weights.b_dec, dim=1, keepdim=True) * weights.encoder.norm(dim=1)
    worst = ((rounded - exact).abs() / (lengths + weights.b_enc.abs())).max()
    assert 0 < worst < 3 * 2**-9  # three roundings to 8 bits
    codes, _ = encode.encode_topk(weights, x, K, "bfloat16", {})
    assert torch.equal(
        codes.values.view(N, K).sort(1).values, rounded.float().topk(K, dim=1).values.relu().sort(1).values
    )


def test_the_bias_goes_through_the_bfloat16_product_exactly():
    """Rounded once, at the end: the sum of the three parts is the bias itself."""
    weights, x = world()
    bias = weights.b_enc + torch.linspace(-3, 3, D_SAE)
    silent = dataclasses.replace(weights, encoder=torch.zeros_like(weights.encoder), b_enc=bias)
    _, pre, _ = encode.encode_above(silent, x, 0.0, 1.0, "bfloat16", {})
    assert torch.equal(pre, bias.bfloat16().expand(N, -1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_number_of_threads_changes_no_bit(precision):
    weights, x = world()
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    before = torch.get_num_threads()
    outcomes = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            outcomes.append(topk.step(weights, x, K, 5.0, dead, 8, 0.0, {}, precision))
    finally:
        torch.set_num_threads(before)
    for other in outcomes[1:]:
        for name in ("encoder", "decoder", "b_enc"):
            assert torch.equal(getattr(other.gradients, name), getattr(outcomes[0].gradients, name)), name


@pytest.mark.parametrize("architecture", ["topk", "relu"])
def test_gradients_in_bfloat16_point_the_same_way(architecture):
    weights, x = world()
    if architecture == "topk":
        dead = torch.arange(D_SAE) < 30
        steps = [topk.step(weights, x, K, 5.0, dead, 8, 1 / 32, {}, p) for p in ("float32", "bfloat16")]
    else:  # many active latents: the dense branch
        steps = [relu.step(weights, x, 0.3, {}, p) for p in ("float32", "bfloat16")]
    for name, exact in steps[0].gradients.tensors().items():
        rounded = steps[1].gradients.tensors()[name]
        assert torch.cosine_similarity(exact.flatten(), rounded.flatten(), dim=0) > 0.998, name
    torch.testing.assert_close(steps[1].loss, steps[0].loss, rtol=1e-2, atol=0)
