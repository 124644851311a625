"""Autoencoders in other libraries' files, built by hand from their formats: the same codes and reconstructions."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from scripts.monosem.core import artefacts
from scripts.monosem.sae import convert
from scripts.monosem.sae.model import decode, encode

D_IN, D_SAE, K = 6, 20, 4


def tensors(seed=0, unit=True):
    g = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(D_SAE, D_IN, generator=g)
    if unit:
        W_dec /= W_dec.norm(dim=1, keepdim=True)
    draw = {"W_enc": (D_IN, D_SAE), "b_enc": (D_SAE,), "b_dec": (D_IN,)}
    return {name: torch.randn(shape, generator=g) for name, shape in draw.items()} | {"W_dec": W_dec}


def inputs():
    return torch.randn(50, D_IN, generator=torch.Generator().manual_seed(9))


def keep_largest(pre, k, score=None):
    best = (pre if score is None else score).topk(k, dim=1).indices
    return torch.zeros_like(pre).scatter(1, best, pre.gather(1, best).relu())


def write(folder, cfg, weights, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file({key: value.contiguous() for key, value in weights.items()}, folder / name)


def assert_is(folder, f, reconstruction):
    sae = convert.load(folder)
    torch.testing.assert_close(encode(sae, inputs()), f, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(decode(sae, f), reconstruction, atol=1e-5, rtol=1e-5)
    return sae


def test_sparsify(tmp_path):
    t = tensors()
    cfg = {"activation": "topk", "k": K, "num_latents": 0, "expansion_factor": 3, "d_in": D_IN, "transcode": False}
    stored = {"encoder.weight": t["W_enc"].T, "encoder.bias": t["b_enc"], "W_dec": t["W_dec"], "b_dec": t["b_dec"]}
    write(tmp_path / "layers.3.mlp", cfg, stored, "sae.safetensors")
    f = keep_largest((inputs() - t["b_dec"]) @ t["W_enc"] + t["b_enc"], K)
    sae = assert_is(tmp_path / "layers.3.mlp", f, f @ t["W_dec"] + t["b_dec"])
    assert sae.k == K and sae.cfg["metadata"]["hook_name"] == "layers.3.mlp"
    write(tmp_path / "layers.3.mlp", cfg | {"skip_connection": True}, stored, "sae.safetensors")
    with pytest.raises(artefacts.ArtefactError, match="skip_connection is True"):
        convert.read(tmp_path / "layers.3.mlp")


@pytest.mark.parametrize("k", [None, K])
def test_dictionary_learning(tmp_path, k):
    t = tensors()
    state = {"encoder.weight": t["W_enc"].T, "encoder.bias": t["b_enc"], "decoder.weight": t["W_dec"].T}
    trainer = {"dict_class": "AutoEncoder", "lm_name": "gpt2", "submodule_name": "blocks.3.mlp.hook_post"}
    if k:
        state |= {"b_dec": t["b_dec"], "k": torch.tensor(k), "threshold": torch.tensor(-1.0)}
        trainer |= {"dict_class": "AutoEncoderTopK", "k": k}
    else:
        state["bias"] = t["b_dec"]
    torch.save(state, tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
    pre = (inputs() - t["b_dec"]) @ t["W_enc"] + t["b_enc"]
    f = keep_largest(pre, k) if k else pre.relu()
    sae = assert_is(tmp_path, f, f @ t["W_dec"] + t["b_dec"])
    assert sae.cfg["metadata"]["model_name"] == "gpt2"
    assert sae.cfg["metadata"]["hook_name"] == "blocks.3.mlp.hook_post"


def test_dictionary_learning_batchtopk_is_a_jumprelu_with_one_threshold(tmp_path):
    t = tensors()
    state = {"encoder.weight": t["W_enc"].T, "encoder.bias": t["b_enc"], "decoder.weight": t["W_dec"].T}
    state |= {"b_dec": t["b_dec"], "k": torch.tensor(K), "threshold": torch.tensor(0.7)}
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"dict_class": "BatchTopKSAE"}}))
    torch.save(state, tmp_path / "ae.pt")
    cfg, read = convert.read(tmp_path)
    assert cfg["architecture"] == "jumprelu"
    assert torch.equal(read["threshold"], torch.full((D_SAE,), 0.7))
    torch.save(state | {"threshold": torch.tensor(-1.0)}, tmp_path / "ae.pt")
    with pytest.raises(artefacts.ArtefactError, match="threshold was never estimated"):
        convert.read(tmp_path)


def test_a_pickle_that_is_no_dict_of_tensors_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"encoder.weight": Evil()}, tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"dict_class": "AutoEncoder"}}))
    with pytest.raises(artefacts.ArtefactError, match="no plain dict of tensors"):
        convert.read(tmp_path)
    assert not (tmp_path / "ran").exists()


def saelens_cfg(**more):
    metadata = {"sae_lens_version": "6.18.0", "model_name": "gpt2", "hook_name": "blocks.3.mlp.hook_post"}
    return {"architecture": "topk", "d_in": D_IN, "d_sae": D_SAE, "k": K, "metadata": metadata, **more}


def test_saelens_topk_by_decoder_norm_and_without_b_dec_at_the_input(tmp_path):
    t = tensors(unit=False)
    cfg = saelens_cfg(rescale_acts_by_decoder_norm=True, apply_b_dec_to_input=False, normalize_activations="none")
    write(tmp_path, cfg, t, "sae_weights.safetensors")
    norm = t["W_dec"].norm(dim=1)
    pre = inputs() @ t["W_enc"] + t["b_enc"]
    theirs = keep_largest(pre, K, score=pre * norm)
    sae = assert_is(tmp_path, theirs * norm, theirs @ t["W_dec"] + t["b_dec"])
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(D_SAE))
    assert sae.cfg["metadata"]["hook_name"] == "blocks.3.mlp.hook_post"


def test_a_saelens_normalisation_that_is_not_folded_is_refused(tmp_path):
    write(tmp_path, saelens_cfg(normalize_activations="layer_norm"), tensors(), "sae_weights.safetensors")
    with pytest.raises(artefacts.ArtefactError, match="normalize_activations is 'layer_norm'"):
        convert.read(tmp_path)


def codes(architecture, t, x):
    """The definitions of sae/model.py, written out."""
    z = (x - t["b_dec"]) @ t["W_enc"]
    if architecture == "gated":
        return (z + t["b_gate"] > 0) * (t["r_mag"].exp() * z + t["b_mag"]).relu()
    z = z + t["b_enc"]
    return {"standard": z.relu(), "topk": keep_largest(z, K), "jumprelu": z * (z > t.get("threshold", torch.zeros(1)))}[
        architecture
    ]


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
@pytest.mark.parametrize("form", convert.FORMATS)
def test_there_and_back(tmp_path, architecture, form):
    t = tensors()
    g = torch.Generator().manual_seed(1)
    if architecture == "jumprelu":
        t["threshold"] = torch.rand(D_SAE, generator=g)
    if architecture == "gated":
        t["b_gate"] = t.pop("b_enc")
        t |= {name: torch.randn(D_SAE, generator=g) for name in ("r_mag", "b_mag")}
    cfg = saelens_cfg(architecture=architecture, apply_b_dec_to_input=True)
    convert.write(cfg, t, tmp_path, form)
    back, read = convert.read(tmp_path)
    assert back["architecture"] == architecture and set(read) == set(t)
    torch.testing.assert_close(codes(architecture, read, inputs()), codes(architecture, t, inputs()))
    assert (back.get("k") == K) == (architecture == "topk")
    assert back["metadata"]["hook_name"] == "blocks.3.mlp.hook_post"


def test_a_folder_without_an_autoencoder_says_what_was_looked_for(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match="sae_weights.safetensors.*ae.pt.*sae.safetensors"):
        convert.read(tmp_path)


def test_command_line(tmp_path):
    write(tmp_path / "ours", saelens_cfg(), tensors(), "sae_weights.safetensors")
    command = [sys.executable, "-m", "scripts.convert_sae", tmp_path / "ours", tmp_path / "theirs"]
    done = subprocess.run([*command, "--to", "dictionary_learning"], capture_output=True, text=True)
    assert done.returncode == 0 and "topk with 20 latents of blocks.3.mlp.hook_post" in done.stdout
    assert {path.name for path in (tmp_path / "theirs").iterdir()} == {"ae.pt", "config.json"}
