"""Hook names land on the tensors that TransformerLens means by them."""

import sys

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.models import site_names, sites


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=16, n_head=2, n_inner=40, n_positions=12, vocab_size=50)
    config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
    return GPT2LMHeadModel(config).eval().requires_grad_(False)


TOKENS = torch.arange(24).view(2, 12)


def at(model, name):
    return sites.capture(model, sites.resolve(model, name), TOKENS)


def test_the_residual_stream_adds_up(model):
    """resid_mid = resid_pre + attn_out, resid_post = resid_mid + mlp_out, and block 1 reads what block 0 wrote."""
    for layer in (0, 1):
        pre, attention, mid, mlp, post = (
            at(model, f"blocks.{layer}.{name}")
            for name in ("hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post")
        )
        torch.testing.assert_close(pre + attention, mid)
        torch.testing.assert_close(mid + mlp, post)
    torch.testing.assert_close(at(model, "blocks.0.hook_resid_post"), at(model, "blocks.1.hook_resid_pre"))


def test_mlp_output_recomputed_from_post_activations(model):
    block = model.transformer.h[1].mlp
    post = at(model, "blocks.1.mlp.hook_post")
    torch.testing.assert_close(block.act(at(model, "blocks.1.mlp.hook_pre")), post)
    torch.testing.assert_close(block.c_proj(post), at(model, "blocks.1.hook_mlp_out"), atol=1e-5, rtol=1e-5)


def test_a_hook_on_the_wrong_layer_is_noticed(model):
    wrong = at(model, "blocks.0.mlp.hook_post")
    assert not torch.allclose(model.transformer.h[1].mlp.c_proj(wrong), at(model, "blocks.1.hook_mlp_out"), atol=1e-3)


def test_early_exit_equals_the_full_forward_and_runs_nothing_later(model):
    seen = []
    site = sites.resolve(model, "blocks.0.mlp.hook_post")
    handle = site.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    later = model.transformer.h[1].register_forward_hook(lambda *_: seen.append("later"))
    model(TOKENS)
    handle.remove()
    full, mark = seen
    assert mark == "later"
    seen.clear()
    assert torch.equal(sites.capture(model, site, TOKENS), full)
    later.remove()
    assert seen == []
    assert not site.module._forward_pre_hooks


@pytest.mark.parametrize("inner, width", [("mlp.hook_post", 40), ("mlp.hook_pre", 40), ("hook_resid_mid", 16)])
def test_widths_are_known_from_the_configuration_alone(model, inner, width):
    assert site_names.parse(f"blocks.1.{inner}", model.config.to_dict()) == (1, inner, width)
    assert at(model, f"blocks.1.{inner}").shape == (2, 12, width)


def test_gpt2s_default_mlp_width_is_four_times_the_residual():
    assert (
        site_names.parse(
            "blocks.0.mlp.hook_post", {"n_layer": 1, "n_embd": 768, "n_inner": None, "n_positions": 1024, "n_head": 12}
        )[2]
        == 3072
    )


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("blocks.0.mlp.hook_pots", "blocks.0.mlp.hook_post"),
        ("blocks.1.mlp.post", "blocks.1.mlp.hook_post"),
        ("block.0.hook_resid_pre", "blocks.0.hook_resid_pre"),
        ("blocks.7.hook_mlp_out", "blocks.1.hook_mlp_out"),
        ("nonsense", "blocks.0."),
    ],
)
def test_unknown_sites_name_the_nearest(model, name, nearest):
    with pytest.raises(ValueError, match=name) as error:
        sites.resolve(model, name)
    assert nearest in str(error.value)


def test_the_longest_window_is_what_the_configuration_says(model, monkeypatch):
    assert sites.longest_window(model) == model.config.n_positions
    monkeypatch.setattr(type(model.config), "model_type", "mamba")
    assert sites.longest_window(model) == sys.maxsize
