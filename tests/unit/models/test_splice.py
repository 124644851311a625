"""Splicing: identities, what is replaced and what is not, and the fast form against the plain one."""

import pytest
import torch
import torch.nn.functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.models import sites, splice
from scripts.monosem.models.families import GPT2


def with_hook(model, site, tokens, replacement):
    """Logits of an ordinary forward pass with a hook on the site's module: the oracle."""

    def on_input(_module, inputs):
        return (replacement, *inputs[1:])

    def on_output(_module, _inputs, output):
        return (replacement, *output[1:]) if isinstance(output, tuple) else replacement

    if site.side == "input":
        handle = site.module.register_forward_pre_hook(on_input)
    else:
        handle = site.module.register_forward_hook(on_output)
    try:
        return model(tokens).logits
    finally:
        handle.remove()


def replace_middle(model, site, tokens, replacement):
    """A hook reads the middle of the residual stream but replaces only one of its two uses, so exchange the block."""
    block = model.transformer.h[site.layer]
    forward = block.forward
    block.forward = lambda *_, **__: replacement + block.mlp(block.ln_2(replacement))
    try:
        return model(tokens).logits
    finally:
        block.forward = forward


SITES = [f"blocks.{layer}.{name}" for layer in (0, 1) for name in GPT2.sites]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=2, n_embd=16, n_head=2, n_inner=64, n_positions=12, vocab_size=50, initializer_range=0.5,
        activation_function="relu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SITES)
def test_identity_splice_changes_nothing(model, tokens, name):
    site = sites.resolve(model, name)
    spliced = splice.run_spliced(model, site, tokens, lambda x: x.clone())
    assert torch.allclose(spliced, model(tokens).logits, atol=1e-5)


@pytest.mark.parametrize("name", SITES)
def test_suffix_equals_full_pass_with_a_hook(model, tokens, name):
    site = sites.resolve(model, name)
    clean = splice.run_clean(model, site, tokens)
    assert torch.equal(clean.activations, sites.capture(model, site, tokens))
    replaced = torch.randn(clean.activations.shape, generator=torch.Generator().manual_seed(2))
    hidden = splice.run_suffix(model, site, clean, replaced)
    oracle = replace_middle if name.endswith("resid_mid") else with_hook
    expected = oracle(model, site, tokens, replaced)
    assert torch.allclose(model.lm_head(hidden), expected, atol=1e-4)
    assert torch.allclose(model.lm_head(clean.final), model(tokens).logits, atol=1e-4)


@pytest.mark.parametrize("name", SITES)
def test_replacement_reaches_the_logits_and_not_the_past(model, tokens, name):
    site = sites.resolve(model, name)
    kept = torch.zeros(tokens.shape, dtype=torch.bool)
    kept[1, 5] = True
    clean = splice.run_spliced(model, site, tokens, None)
    spliced = splice.run_spliced(
        model, site, tokens, lambda x: splice.replace_kept(x, kept, torch.full((1, site.d), 3.0))
    )
    assert torch.equal(spliced[[0, 2]], clean[[0, 2]])
    assert torch.allclose(spliced[1, :5], clean[1, :5], atol=1e-5)
    assert not torch.allclose(spliced[1, 5], clean[1, 5], atol=1e-3)


def test_no_hook_is_left_behind(model, tokens):
    site = sites.resolve(model, "blocks.0.mlp.hook_post")
    before = model(tokens).logits
    splice.run_spliced(model, site, tokens, torch.zeros_like)
    with pytest.raises(IndexError):
        splice.run_clean(model, site, tokens + 50)
    assert torch.equal(model(tokens).logits, before)


def test_zero_ablating_the_mlp_output_equals_a_model_without_that_mlp(model, tokens):
    site = sites.resolve(model, "blocks.1.hook_mlp_out")
    spliced = splice.run_spliced(model, site, tokens, torch.zeros_like)
    x = model.transformer(tokens, output_hidden_states=True).hidden_states[1]
    block = model.transformer.h[1]
    middle = x + block.attn(block.ln_1(x))[0]
    assert torch.allclose(spliced, model.lm_head(model.transformer.ln_f(middle)), atol=1e-4)


@pytest.mark.parametrize(("fewest_rows", "block"), [(1, (16, 50)), (128, (20, 40))])
def test_loss_and_divergence_equal_their_definitions(model, tokens, monkeypatch, fewest_rows, block):
    """In whole rows and in parts of the vocabulary; 37 rows and 50 tokens make uneven blocks."""
    monkeypatch.setattr(splice, "BLOCK_NUMBERS", 800)
    monkeypatch.setattr(splice, "FEWEST_ROWS", fewest_rows)
    monkeypatch.setattr(splice, "BLOCK_ROWS", 20)
    assert tuple(part[0].stop for part in splice._blocks(37, 50)) == block
    generator = torch.Generator().manual_seed(3)
    unembedding = splice.unembedding_of(model)
    hidden, other = torch.randn(2, 37, 16, generator=generator) * 2
    targets = torch.randint(0, 50, (37,), generator=generator)
    clean = splice.reference(hidden, unembedding, targets)
    loss, divergence = splice.score(clean, other, unembedding)
    log_p, log_q = ((h @ unembedding.weight.T).double().log_softmax(-1) for h in (hidden, other))
    assert torch.allclose(clean.loss.double(), F.nll_loss(log_p, targets, reduction="none"), atol=1e-4)
    assert torch.allclose(loss.double(), F.nll_loss(log_q, targets, reduction="none"), atol=1e-4)
    assert torch.allclose(divergence.double(), (log_p.exp() * (log_p - log_q)).sum(-1), atol=1e-4)


def test_divergence_of_the_clean_run_is_zero(model):
    hidden = torch.randn(20, 16, generator=torch.Generator().manual_seed(4))
    unembedding = splice.unembedding_of(model)
    clean = splice.reference(hidden, unembedding, torch.zeros(20, dtype=torch.long))
    loss, divergence = splice.score(clean, hidden, unembedding)
    assert divergence.abs().max() < 1e-5
    assert torch.allclose(loss, clean.loss, atol=1e-5)
