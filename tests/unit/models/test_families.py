"""Every family of models: sites are what their names mean, splicing is what a hook does, documents are kept apart."""

import copy

import pytest
import torch

from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.models import site_names, sites, splice
from scripts.monosem.models.families import family_of, shape_of
from tests.helpers.family_models import CONFIGS, SEPARATOR, VOCAB, model, tokens

TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


def names(name: str) -> list[str]:
    config = CONFIGS[name].to_dict()
    return [inner for inner, reason in site_names.sites_of(family_of(config), config).items() if reason is None]


EVERYWHERE = [(name, f"blocks.{layer}.{inner}") for name in CONFIGS for inner in names(name) for layer in (0, 1)]


def at(name, site, ids=None):
    return sites.capture(model(name), sites.resolve(model(name), site), tokens() if ids is None else ids)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_residual_stream_adds_up(name):
    """resid_post = resid_pre + attn_out + mlp_out, with resid_mid between them where there is one."""
    if name == "opt-post-norm":
        pytest.skip("a norm stands after each sum")
    for layer in (0, 1):
        pre, attention, mlp, post = (
            at(name, f"blocks.{layer}.{inner}")
            for inner in ("hook_resid_pre", "hook_attn_out", "hook_mlp_out", "hook_resid_post")
        )
        torch.testing.assert_close(pre + attention + mlp, post, **TOLERANCE)
        if "hook_resid_mid" in names(name):
            torch.testing.assert_close(pre + attention, at(name, f"blocks.{layer}.hook_resid_mid"), **TOLERANCE)
    torch.testing.assert_close(at(name, "blocks.0.hook_resid_post"), at(name, "blocks.1.hook_resid_pre"))


@pytest.mark.parametrize("name", CONFIGS)
def test_mlp_output_recomputed_from_captured_activations(name):
    """hook_post = act(hook_pre) (times hook_pre_linear), and the down projection of it is what the MLP gives."""
    family, block = family_of(CONFIGS[name].to_dict()), sites.blocks_of(model(name))[1]
    pre, post, out = (at(name, f"blocks.1.{inner}") for inner in ("mlp.hook_pre", "mlp.hook_post", "hook_mlp_out"))
    activation = block.get_submodule(family.before_post[-1])
    by_hand = activation(pre)
    if family.gated:
        by_hand = by_hand * at(name, "blocks.1.mlp.hook_pre_linear")
    torch.testing.assert_close(by_hand, post, **TOLERANCE)
    wrong = at(name, "blocks.0.mlp.hook_post")
    after = block.get_submodule(family.norm_after_mlp) if family.norm_after_mlp else torch.nn.Identity()
    down = block.get_submodule(family.down)
    torch.testing.assert_close(after(down(post)), out, **TOLERANCE)
    assert not torch.allclose(after(down(wrong)), out, atol=1e-2)  # a hook on the wrong layer is noticed


@pytest.mark.parametrize("name, site", EVERYWHERE)
def test_widths_are_known_from_the_configuration_alone(name, site):
    layer, inner, width = site_names.parse(site, CONFIGS[name].to_dict())
    assert site == f"blocks.{layer}.{inner}" and at(name, site).shape == (*tokens().shape, width)


@pytest.mark.parametrize("name", CONFIGS)
def test_early_exit_equals_the_full_forward_and_runs_nothing_later(name):
    site, seen = sites.resolve(model(name), "blocks.0.mlp.hook_post"), []
    handles = [
        sites.observe(site, seen.append),
        sites.blocks_of(model(name))[1].register_forward_hook(lambda *_: seen.append("later")),
        model(name).get_output_embeddings().register_forward_hook(lambda *_: seen.append("unembedding")),
    ]
    model(name)(tokens())
    full, *marks = seen
    assert marks == ["later", "unembedding"]
    handles.pop(0).remove()
    seen.clear()
    assert torch.equal(sites.capture(model(name), site, tokens()).reshape(full.shape), full)
    for handle in handles:
        handle.remove()
    assert seen == [] and not site.module._forward_pre_hooks


@pytest.mark.parametrize("name", CONFIGS)
def test_several_sites_in_one_pass_equal_one_by_one(name):
    wanted = [site for other, site in EVERYWHERE if other == name][::-1]
    together = sites.capture_all(model(name), [sites.resolve(model(name), site) for site in wanted], tokens())
    for site, values in zip(wanted, together, strict=True):
        assert torch.equal(values, at(name, site)), site


@pytest.mark.parametrize("name", CONFIGS)
def test_batching_changes_nothing(name):
    alone = torch.cat([at(name, "blocks.1.hook_resid_post", window[None]) for window in tokens()])
    torch.testing.assert_close(at(name, "blocks.1.hook_resid_post"), alone, **TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_changes_nothing(name):
    """Rows that are filled up behind their end with whatever: attention looks back only."""
    padded = tokens().clone()
    padded[:, 7:] = 1
    short = at(name, "blocks.1.hook_resid_post", tokens()[:, :7])
    torch.testing.assert_close(at(name, "blocks.1.hook_resid_post", padded)[:, :7], short, **TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
def test_packing_documents_changes_nothing_unless_asked(name):
    """Two whole documents and the start of a third in one window against each alone."""
    first, second, third = tokens()[0, :4], tokens()[1, :1], tokens()[2, :5]
    mark = torch.tensor([SEPARATOR])
    documents = [torch.cat([mark, words])[None] for words in (first, second, third)]
    packed = torch.cat(documents, dim=1)
    for inner in ("hook_attn_out", "mlp.hook_post"):
        site = f"blocks.1.{inner}"
        apart, across = model(name, across=False), model(name, across=True)
        alone = torch.cat([at(name, site, document) for document in documents], dim=1)
        together = sites.capture(apart, sites.resolve(apart, site), packed, SEPARATOR)
        torch.testing.assert_close(together, alone, **TOLERANCE)
        mixed = sites.capture(across, sites.resolve(across, site), packed, SEPARATOR)
        assert not torch.allclose(mixed[:, 6:], alone[:, 6:], atol=1e-2)


def with_hook(name, site, replacement):
    """Logits of an ordinary forward pass with a hook on the site's module: the oracle."""

    def on_input(_module, inputs):
        return (replacement.reshape(inputs[0].shape), *inputs[1:])

    def on_output(_module, _inputs, output):
        value = replacement.reshape(sites.first(output).shape)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    hook = site.module.register_forward_pre_hook if site.side == "input" else site.module.register_forward_hook
    handle = hook(on_input if site.side == "input" else on_output)
    try:
        return model(name)(tokens()).logits
    finally:
        handle.remove()


@pytest.mark.parametrize("name, site_name", [pair for pair in EVERYWHERE if "resid_mid" not in pair[1]])
def test_suffix_equals_full_pass_with_a_hook(name, site_name):
    site = sites.resolve(model(name), site_name)
    clean = splice.run_clean(model(name), site, tokens())
    assert torch.equal(clean.activations, at(name, site_name))
    unembedding = splice.unembedding_of(model(name))
    torch.testing.assert_close(unembedding.logits(clean.final), model(name)(tokens()).logits, **TOLERANCE)
    for replacement in (torch.zeros_like(clean.activations), clean.activations.flip(0), clean.activations):
        hidden = splice.run_suffix(model(name), site, clean, replacement)
        expected = with_hook(name, site, replacement)
        torch.testing.assert_close(unembedding.logits(hidden), expected, **TOLERANCE)
    assert torch.equal(model(name)(tokens()).logits, expected)  # nothing is left behind


@pytest.mark.parametrize("name", [name for name in CONFIGS if "hook_resid_mid" in names(name)])
def test_a_replaced_resid_mid_reaches_the_mlp_and_the_sum(name):
    """Adding v to resid_mid is adding it to what attention adds."""
    middle, attention = (sites.resolve(model(name), f"blocks.0.{x}") for x in ("hook_resid_mid", "hook_attn_out"))
    v = torch.randn(16, generator=torch.Generator().manual_seed(3))
    a, b = (splice.run_spliced(model(name), site, tokens(), lambda x: x + v) for site in (middle, attention))
    torch.testing.assert_close(a, b, **TOLERANCE)
    assert not torch.allclose(a, model(name)(tokens()).logits, atol=1e-2)


@pytest.mark.parametrize("name", CONFIGS)
def test_loss_and_divergence_equal_their_definitions(name):
    generator = torch.Generator().manual_seed(3)
    unembedding = splice.unembedding_of(model(name))
    hidden, other = torch.randn(2, 37, unembedding.weight.shape[1], generator=generator) * 2
    targets = torch.randint(0, VOCAB, (37,), generator=generator)
    clean = splice.reference(hidden, unembedding, targets)
    loss, divergence = splice.score(clean, other, unembedding)
    log_p, log_q = (unembedding.logits(h).double().log_softmax(-1) for h in (hidden, other))
    rows = torch.arange(37)
    torch.testing.assert_close(clean.loss.double(), -log_p[rows, targets], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss.double(), -log_q[rows, targets], atol=1e-4, rtol=1e-4)
    expected = (log_p.exp() * (log_p - log_q)).sum(-1)
    torch.testing.assert_close(divergence.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_logit_weights_are_the_derivative_of_the_logits_up_to_one_scale(name):
    """Added to the last residual stream behind its own direction, a neuron's vector is divided by the spread alone."""
    site = sites.resolve(model(name), "blocks.1.mlp.hook_post")
    if family_of(CONFIGS[name].to_dict()).norm_after_mlp or name == "opt-post-norm":
        pytest.skip("a norm stands behind the MLP")
    direction = torch.zeros(1, site.d)
    direction[0, 5] = 1
    down = sites.blocks_of(model(name))[1].get_submodule(family_of(CONFIGS[name].to_dict()).down)
    moved = (down(direction) - down(torch.zeros_like(direction)))[0]
    moved = moved - moved.mean() if family_of(CONFIGS[name].to_dict()).centred_norm else moved
    state = torch.randn(16, generator=torch.Generator().manual_seed(0))
    state = state - state.mean()
    state = state - (state @ moved) / (moved @ moved) * moved
    body, head = sites.body_of(model(name)), model(name).get_output_embeddings()

    def logits(x):
        for path in family_of(CONFIGS[name].to_dict()).after_blocks:
            module = getattr(body, path, None)
            x = x if module is None else module(x)
        return head(x)

    derivative = torch.func.jvp(logits, (state,), (moved,))[1] * state.square().mean().sqrt()
    weights = logit_weights(model(name), site, direction)[0]
    torch.testing.assert_close(weights, derivative - derivative.quantile(0.5), atol=1e-3, rtol=1e-3)
    assert reason_unavailable(sites.resolve(model(name), "blocks.1.mlp.hook_pre"))


def test_a_parallel_block_has_no_resid_mid():
    with pytest.raises(ValueError, match="read the same residual stream.*nearest is 'blocks.0.hook_resid_p"):
        site_names.parse("blocks.0.hook_resid_mid", CONFIGS["pythia"].to_dict())


def test_the_error_for_an_unknown_family_shows_how_to_name_a_module():
    config = {"model_type": "unheard_of"}
    with pytest.raises(ValueError) as caught:
        site_names.parse("blocks.0.mlp.hook_post", config)
    for words in ("'unheard_of'", "transformer.h", "model.decoder.layers", "models.<name>.pretrained.sites", ":input:"):
        assert words in str(caught.value)


def test_a_module_named_by_hand_equals_the_tables_site():
    family = model("llama")
    by_hand = copy.copy(family)
    by_hand.config = copy.deepcopy(family.config)
    by_hand.config.monosem = {"sites": {"mine": "model.layers.1.mlp.down_proj:input:40"}}
    mine, table = sites.resolve(by_hand, "mine"), sites.resolve(family, "blocks.1.mlp.hook_post")
    assert torch.equal(sites.capture(by_hand, mine, tokens()), sites.capture(family, table, tokens()))
    double = [splice.run_spliced(family, site, tokens(), lambda x: 2 * x) for site in (table,)]
    torch.testing.assert_close(splice.run_spliced(by_hand, mine, tokens(), lambda x: 2 * x), double[0], **TOLERANCE)
    by_hand.config.monosem = {"sites": {"mine": "model.layers.1.mlp.dwn_proj:input:40"}}
    with pytest.raises(ValueError, match="nearest is 'model.layers.1.mlp.down_proj'"):
        sites.resolve(by_hand, "mine")
    by_hand.config.monosem = {"sites": {"mine": "model.layers.1.mlp.down_proj:input:41"}}
    with pytest.raises(ValueError, match="40 wide in the model, but 41"):
        sites.capture(by_hand, sites.resolve(by_hand, "mine"), tokens())


def test_sizes_are_read_under_each_familys_keys():
    assert shape_of(CONFIGS["opt"].to_dict(), family_of(CONFIGS["opt"].to_dict())).d_mlp == 40
    with pytest.raises(ValueError, match="no key 'intermediate_size'"):
        shape_of(
            {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2}, family_of({"model_type": "llama"})
        )
