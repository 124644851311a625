"""Autoencoders in other libraries' files: the same codes and reconstructions, and contradictions refused."""

import pytest
import torch

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae import convert, foreign, formats
from scripts.monosem.sae.model import decode, encode, pre_activations
from tests.helpers.foreign_saes import (
    D_IN,
    D_SAE,
    HOOK,
    MODEL,
    K,
    codes,
    inputs,
    keep_largest,
    linear,
    of,
    openai_state,
    saelens_cfg,
    sparsify_cfg,
    sparsify_state,
    tensors,
    write,
    write_dictionary_learning,
)  # fmt: skip


def assert_is(place, f, reconstruction):
    sae = convert.load(place)
    torch.testing.assert_close(encode(sae, inputs()), f, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(decode(sae, f), reconstruction, atol=1e-5, rtol=1e-5)
    return sae


def refused(place, *words):
    """Read, and where its configuration alone says so, by the workflow already; one sentence with these words."""
    with pytest.raises(ArtefactError) as caught:
        foreign.read(place)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


# the formats


def test_sparsify(tmp_path):
    t, folder = tensors(), tmp_path / "layers.3.mlp"
    write(folder, sparsify_cfg(transcode=False, signed=False), sparsify_state(t), "sae.safetensors")
    f = codes("topk", t, inputs())
    sae = assert_is(folder, f, f @ t["W_dec"] + t["b_dec"])
    assert sae.k == K and sae.cfg["metadata"]["hook_name"] == "layers.3.mlp"
    for key, value in {"skip_connection": True, "transcode": True, "signed": True, "activation": "groupmax"}.items():
        write(folder, sparsify_cfg(**{key: value}), sparsify_state(t), "sae.safetensors")
        refused(folder, f"cfg.json: {key} is {value!r}; only")


@pytest.mark.parametrize("dict_class, b_dec", [("AutoEncoder", "bias"), ("AutoEncoderTopK", "b_dec")])
def test_dictionary_learning(tmp_path, dict_class, b_dec):
    t, state = tensors(), linear(tensors(), b_dec)
    architecture = "topk" if dict_class == "AutoEncoderTopK" else "standard"
    more = {"submodule_name": HOOK} | ({"k": K} if architecture == "topk" else {})
    if architecture == "topk":
        state |= {"k": torch.tensor(K), "threshold": torch.tensor(-1.0)}
    f = codes(architecture, t, inputs())
    sae = assert_is(write_dictionary_learning(tmp_path, dict_class, state, **more), f, f @ t["W_dec"] + t["b_dec"])
    assert (sae.cfg["metadata"]["model_name"], sae.cfg["metadata"]["hook_name"]) == (MODEL, HOOK)


def test_dictionary_learning_without_a_pre_encoder_bias(tmp_path):
    t = tensors()
    f = (inputs() @ t["W_enc"] + t["b_enc"]).relu()
    folder = write_dictionary_learning(tmp_path, "AutoEncoderNew", linear(t, "decoder.bias"))
    assert_is(folder, f, f @ t["W_dec"] + t["b_dec"])


def test_k_of_a_topk_is_in_the_weights_or_in_the_configuration_and_the_same(tmp_path):
    state = linear(tensors(), "b_dec")
    assert convert.load(write_dictionary_learning(tmp_path, "AutoEncoderTopK", state, k=K)).k == K
    state["k"] = torch.tensor(K)
    assert convert.load(write_dictionary_learning(tmp_path, "AutoEncoderTopK", state)).k == K
    refused(write_dictionary_learning(tmp_path, "AutoEncoderTopK", state, k=5), "ae.pt: k is 5 in one place and 4 in")
    del state["k"]
    refused(write_dictionary_learning(tmp_path, "AutoEncoderTopK", state), "ae.pt: k is missing")


@pytest.mark.parametrize("dict_class", ["BatchTopKSAE", "MatryoshkaBatchTopKSAE"])
def test_a_threshold_for_all_latents(tmp_path, dict_class):
    t = tensors()
    state = linear(t, "b_dec") if dict_class == "BatchTopKSAE" else t | {"group_sizes": torch.tensor([5, 15])}
    state |= {"k": torch.tensor(K), "threshold": torch.tensor(0.7)}
    f = codes("jumprelu", t | {"threshold": torch.tensor(0.7)}, inputs())
    assert_is(write_dictionary_learning(tmp_path, dict_class, state, k=K), f, f @ t["W_dec"] + t["b_dec"])
    state["threshold"] = torch.tensor(-1.0)
    refused(write_dictionary_learning(tmp_path, dict_class, state), "threshold was never estimated")


def test_openai(tmp_path):
    t, path = tensors(), tmp_path / "5.pt"
    torch.save(openai_state(t), path)
    f = codes("standard", t, inputs())
    assert_is(path, f, f @ t["W_dec"] + t["b_dec"])
    torch.save(openai_state(t) | {"activation": "TopK", "activation_state_dict": {"k": 32}}, path)
    refused(path, "5.pt: activation is 'TopK'", "normalises each vector")
    torch.save({"model": openai_state(t)}, path)
    refused(path, "5.pt is no autoencoder of OpenAI")


def test_saelens_topk_by_decoder_norm_and_without_b_dec_at_the_input(tmp_path):
    t = tensors(unit=False)
    write(tmp_path, saelens_cfg(rescale_acts_by_decoder_norm=True, apply_b_dec_to_input=False), t)
    norm = t["W_dec"].norm(dim=1)
    pre = inputs() @ t["W_enc"] + t["b_enc"]
    theirs = keep_largest(pre, K, score=pre * norm)
    sae = assert_is(tmp_path, theirs * norm, theirs @ t["W_dec"] + t["b_dec"])
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(D_SAE))


def test_k_of_old_saelens_in_the_arguments_of_the_activation_function(tmp_path):
    cfg = saelens_cfg("standard", activation_fn_str="topk", activation_fn_kwargs={"k": 3})
    assert convert.load(write(tmp_path, cfg, tensors())).k == 3


def test_thresholds_stored_as_logarithms(tmp_path):
    t = of("jumprelu")
    stored = {name: tensor for name, tensor in t.items() if name != "threshold"} | {
        "log_threshold": t["threshold"].log()
    }
    f = codes("jumprelu", t, inputs())
    assert_is(write(tmp_path, saelens_cfg("jumprelu"), stored), f, f @ t["W_dec"] + t["b_dec"])


def test_below_a_negative_threshold_nothing_is_negative(tmp_path):
    t = of("jumprelu")
    t["threshold"] -= 0.5
    assert (t["threshold"] < 0).any()
    f = codes("jumprelu", t, inputs())  # relu(z) where z > threshold, as SAELens has it
    assert_is(write(tmp_path, saelens_cfg("jumprelu"), t), f, f @ t["W_dec"] + t["b_dec"])


@pytest.mark.parametrize(
    "name, hook",
    {
        "resid_post_layer_0": "blocks.0.hook_resid_post",
        "resid_out_layer3": "blocks.3.hook_resid_post",
        "mlp_out_layer11": "blocks.11.hook_mlp_out",
        "attn_out_layer_2": "blocks.2.hook_attn_out",
        "something": "something",
        None: None,
    }.items(),
)
def test_names_of_submodules_are_sites(tmp_path, name, hook):
    state = linear(tensors(), "bias")
    folder = write_dictionary_learning(tmp_path, "AutoEncoder", state, submodule_name=name)
    assert formats.read(folder).hook == hook == foreign.read(folder)[0]["metadata"]["hook_name"]
    folder = write_dictionary_learning(tmp_path, "AutoEncoder", state, {"io": "in"}, submodule_name=name)
    assert formats.read(folder).hook == name  # it reads what goes into that module: no such site


# numbers never depend on a file's dtype


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_folding_is_as_exact_for_any_dtype(tmp_path, architecture, dtype):
    d_in, d_sae = 512, 64
    g = torch.Generator().manual_seed(0)
    t = tensors(d_in=d_in, d_sae=d_sae)
    t["b_dec"] *= 10 / (t["b_dec"] @ t["W_enc"]).abs().mean()
    if architecture == "gated":
        t["b_gate"] = t.pop("b_enc")
        t |= {name: torch.randn(d_sae, generator=g) for name in ("r_mag", "b_mag")}
    if architecture == "jumprelu":
        t["threshold"] = torch.rand(d_sae, generator=g)
    stored = {name: tensor.to(dtype) for name, tensor in t.items()}
    cfg = saelens_cfg(architecture, d_in=d_in, d_sae=d_sae, apply_b_dec_to_input=False)
    sae = convert.load(write(tmp_path, cfg, stored))
    x = torch.randn(20, d_in, generator=g) / d_in**0.5
    exact = x.double() @ stored["W_enc"].double() + stored["b_gate" if architecture == "gated" else "b_enc"].double()
    assert 5 < (stored["b_dec"].double() @ stored["W_enc"].double()).abs().mean() < 20
    assert (pre_activations(sae, x).double() - exact).abs().max() < 3e-5
    assert sae.b_enc.dtype == torch.float32
    if architecture == "gated":
        magnitude = (x.double() @ stored["W_enc"].double()) * stored["r_mag"].double().exp() + stored["b_mag"].double()
        torch.testing.assert_close(encode(sae, x).double(), magnitude.relu() * (exact > 0), atol=3e-4, rtol=1e-4)


# contradictions, named when the folder is read


def without(t, *names):
    return {name: tensor for name, tensor in t.items() if name not in names}


LEGACY_TOPK = {"activation_fn": "topk", "activation_fn_kwargs": {"k": K}}
CONTRADICTORY = {
    "standard with threshold": (saelens_cfg("standard"), of("jumprelu"), "the tensor 'threshold' belongs to no"),
    "jumprelu without": (saelens_cfg("jumprelu"), tensors(), "the tensor 'threshold' is missing"),
    "gated without": (saelens_cfg("gated"), without(of("gated"), "r_mag"), "the tensor 'r_mag' is missing"),
    "no decoder": (saelens_cfg(), without(tensors(), "W_dec"), "'W_dec' is missing", "encoder's transpose"),
    "two thresholds": (
        saelens_cfg("jumprelu"), of("jumprelu") | {"log_threshold": torch.zeros(D_SAE)}, "tensor 'log_threshold'",
    ),
    "row": (
        saelens_cfg(), tensors() | {"b_dec": torch.zeros(1, D_IN)},
        f"b_dec has shape [1, {D_IN}], cfg.json says [{D_IN}]",
    ),
    "width": (saelens_cfg(d_in=7), tensors(), f"W_enc has shape [{D_IN}, {D_SAE}], cfg.json says [7, {D_SAE}]"),
    "int8": (saelens_cfg(), tensors() | {"b_enc": torch.zeros(D_SAE, dtype=torch.int8)}, "b_enc is stored as I8"),
    "scales": (saelens_cfg(), tensors() | {"scaling_factor": torch.full((D_SAE,), 2.0)}, "scaling_factor is not 1"),
    "NaN": (saelens_cfg(), tensors() | {"b_enc": torch.full((D_SAE,), torch.nan)}, "'b_enc' holds NaN"),
    "new tensor": (saelens_cfg(), tensors() | {"whitening_mean": torch.zeros(D_IN)}, "the tensor 'whitening_mean'"),
    "no k": ({k: v for k, v in saelens_cfg().items() if k != "k"}, tensors(), "cfg.json: k is missing"),
    "k twice": (saelens_cfg(**LEGACY_TOPK | {"k": 9}), tensors(), "k is 9 in one place and 4 in another"),
    "k of a list": (saelens_cfg(k=[4]), tensors(), "k is [4], expected a whole number from 1 to 20"),
    "k too large": (saelens_cfg(k=21), tensors(), "k is 21, expected a whole number from 1 to 20"),
    "k of a standard": (saelens_cfg("standard", k=K), tensors(), "architecture is 'standard' and k is 4"),
    "no d_sae": (saelens_cfg(d_sae=None), tensors(), "d_sae is None, expected a whole number from 1"),
    "d_in true": (saelens_cfg(d_in=True), tensors(), "d_in is True, expected a whole number from 1"),
    "two activations": (saelens_cfg("jumprelu", **LEGACY_TOPK), of("jumprelu"), "one of them is wrong"),
    "two hooks": (saelens_cfg(hook_point="a", hook_name="b"), tensors(), "hook_point is 'a' and hook_name is 'b'"),
    "argument": (
        saelens_cfg(activation_fn="topk", activation_fn_kwargs={"k": K, "postact_fn": "Identity"}), tensors(),
        "activation_fn_kwargs.postact_fn cannot be read",
    ),
    "flag": (saelens_cfg(apply_b_dec_to_input="no"), tensors(), "apply_b_dec_to_input is 'no'; only True or False"),
    "architecture": (saelens_cfg(architecture=["topk"]), tensors(), "architecture ['topk'] is none of"),
    "metadata": (saelens_cfg(metadata="none"), tensors(), "metadata is no mapping"),
    "transcoder": (saelens_cfg(metadata={"hook_name": "a", "hook_name_out": "b"}), tensors(), "hook_name_out is 'b'"),
    "layer norm": (saelens_cfg(normalize_activations="layer_norm"), tensors(), "normalize_activations is 'layer_norm'"),
    "unknown key": (saelens_cfg(encoder_power=2), tensors(), "cfg.json: 'encoder_power' is no known key of SAELens"),
    "misspelt": (saelens_cfg(apply_b_dec_to_inptu=False), tensors(), "did you mean 'apply_b_dec_to_input'?"),
    "misspelt inside": (saelens_cfg(metadata={"hook_nane": HOOK}), tensors(), "did you mean 'hook_name'?"),
}  # fmt: skip


@pytest.mark.parametrize("cfg, stored, words", [(c, s, w) for c, s, *w in CONTRADICTORY.values()], ids=CONTRADICTORY)
def test_a_contradiction_is_refused_naming_the_file_given(tmp_path, cfg, stored, words):
    refused(write(tmp_path, cfg, stored), str(tmp_path), *words)


def test_what_the_header_shows_is_refused_while_the_workflow_is_parsed(tmp_path):
    write(tmp_path, saelens_cfg("standard"), of("jumprelu"))
    with pytest.raises(
        ArtefactError, match="the tensor 'threshold' belongs to no autoencoder of architecture standard"
    ):
        formats.read(tmp_path)


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    write(tmp_path, [1], tensors())
    refused(tmp_path, "cfg.json: the file is no mapping")


def test_dictionary_learning_is_refused_by_name(tmp_path):
    state = linear(tensors(), "bias")
    whitened = state | {"act_mean": torch.zeros(1, D_IN), "act_cov_inv_sqrt": torch.ones(1, D_IN, D_IN)}
    refused(
        write_dictionary_learning(tmp_path, "AutoEncoder", whitened), "ae.pt: the tensor 'act_cov_inv_sqrt' belongs"
    )
    refused(write_dictionary_learning(tmp_path, "AutoEncoder", state | {"x": {}}), "ae.pt: 'x' is no tensor")
    refused(write_dictionary_learning(tmp_path, "AutoEncoder", state, dict_size=19), "config.json says [19, 6]")
    refused(write_dictionary_learning(tmp_path, "AutoEncoder", state, {"io": "in_and_out"}), "io is 'in_and_out'")
    refused(write_dictionary_learning(tmp_path, "AutoEncoder", state, power=2), "'power' is no known key")
    refused(
        write_dictionary_learning(tmp_path, "IdentityDict", {}), "dict_class 'IdentityDict' is none of AutoEncoder,"
    )
    folder = write_dictionary_learning(tmp_path, "AutoEncoder", state)
    data = bytearray((folder / "ae.pt").read_bytes())
    data[data.index(state["bias"].numpy().tobytes())] ^= 1  # torch itself would read it
    (folder / "ae.pt").write_bytes(data)
    refused(folder, "ae.pt is no plain dict of tensors, or cut short or changed: checksum of")


def test_a_pickle_that_is_no_dict_of_tensors_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    refused(write_dictionary_learning(tmp_path, "AutoEncoder", {"encoder.weight": Evil()}), "no plain dict of tensors")
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_an_autoencoder_says_what_was_looked_for(tmp_path):
    refused(tmp_path, "sae_weights.safetensors", "ae.pt", "sae.safetensors")
