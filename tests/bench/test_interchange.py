"""Our files in the hands of the real libraries, and theirs in ours: run with `make bench-test`."""

import dictionary_learning.utils
import numpy as np
import pytest
import torch
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from sae_lens import SAE, TopKTrainingSAE, TopKTrainingSAEConfig

from scripts.monosem.core import artefacts
from scripts.monosem.sae import convert, foreign
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.model import decode, encode, from_tensors, load_sae
from scripts.monosem.sae.saelens import saelens_cfg, save_sae
from scripts.monosem.sae.training import loop
from tests.helpers.sae_toys import sparse_mixtures

D_IN, D_SAE, K = 16, 64, 4
HOOK = "blocks.2.mlp.hook_post"


class Rows:
    """Activations with a mean and a scale, so that neither bias nor folding is idle."""

    n_tokens, d_in = 4096, D_IN
    x = 7 * sparse_mixtures(4096, D_IN)[0] + 3

    def gather(self, rows):
        return self.x[torch.from_numpy(np.asarray(rows))]


def explained_variance(x, back):
    x, back = x.double(), back.double()
    return 1 - (x - back).square().sum() / (x - x.mean(0)).square().sum()


@pytest.fixture(params=["relu", "topk"])
def ours(request, tmp_path):
    """A trained autoencoder's folder."""
    chosen = {"k": K} if request.param == "topk" else {"l1_coefficient": 0.5}
    config = SaeConfig(
        request.param,
        D_SAE,
        vectors=40_960,
        batch_size=512,
        learning_rate=5e-3,
        warmup_steps=50,
        precision="float32",
        **chosen,
    )
    weights, summary = loop.train(Rows(), config, 0, tmp_path / "state", tmp_path / "curve", say=lambda _: None)
    manifest = {"d_in": D_IN, "context": 128, "model_sha256": "0" * 64}
    cfg = saelens_cfg(config, summary, manifest, "gpt2", HOOK, "run")
    save_sae(weights, cfg, tmp_path / "ours/sae_weights.safetensors", tmp_path / "ours/cfg.json")
    return tmp_path / "ours"


def assert_agree(folder, their_encode, their_decode):
    sae, x = load_sae(folder), Rows.x
    f = encode(sae, x)
    torch.testing.assert_close(their_encode(x), f, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(their_decode(f), decode(sae, f), atol=1e-5, rtol=1e-5)
    theirs = explained_variance(x, their_decode(their_encode(x)))
    assert abs(theirs - explained_variance(x, decode(sae, f))) < 1e-5
    assert theirs > 0.3, "an autoencoder that learnt nothing would agree too"


@torch.no_grad()
def test_saelens_opens_ours(ours):
    sae = SAE.load_from_disk(ours)
    assert_agree(ours, sae.encode, sae.decode)
    assert sae.cfg.metadata.hook_name == HOOK and sae.cfg.metadata.model_name == "gpt2"


@torch.no_grad()
def test_dictionary_learning_opens_ours(ours, tmp_path):
    convert.convert(ours, tmp_path / "theirs", "dictionary_learning")
    dictionary, config = dictionary_learning.utils.load_dictionary(str(tmp_path / "theirs"), "cpu")
    assert_agree(ours, dictionary.encode, dictionary.decode)
    assert config["trainer"]["submodule_name"] == HOOK and config["trainer"]["layer"] == 2


@torch.no_grad()
@pytest.mark.parametrize("rescale", [False, True])
def test_ours_opens_saelens(tmp_path, rescale):
    torch.manual_seed(0)
    config = TopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=K, rescale_acts_by_decoder_norm=rescale)
    theirs = TopKTrainingSAE(config)
    for parameter in theirs.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    theirs.save_inference_model(str(tmp_path))
    loaded, sae = SAE.load_from_disk(tmp_path), convert.load(tmp_path)
    f = encode(sae, Rows.x)
    torch.testing.assert_close(loaded.encode(Rows.x), f, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(loaded.decode(loaded.encode(Rows.x)), decode(sae, f), atol=1e-4, rtol=1e-5)


@torch.no_grad()
def test_ours_opens_dictionary_learning(tmp_path):
    torch.manual_seed(0)
    theirs = AutoEncoderTopK(D_IN, D_SAE, K)
    theirs.b_dec += 0.3
    torch.save(theirs.state_dict(), tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text(
        '{"trainer": {"dict_class": "AutoEncoderTopK", "k": 4, "activation_dim": 16, "dict_size": 64}}'
    )
    sae = convert.load(tmp_path)
    f = encode(sae, Rows.x)
    torch.testing.assert_close(theirs.encode(Rows.x), f, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(theirs.decode(f), decode(sae, f), atol=1e-5, rtol=1e-5)


LEGACY = {
    "plain": {},
    "topk": {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}},
    "raw input": {"apply_b_dec_to_input": False},
    "average norm": {"normalize_activations": "expected_average_only_in"},
}


@pytest.mark.parametrize("more", LEGACY.values(), ids=LEGACY)
@torch.no_grad()
def test_saelens_folders_of_old_versions_mean_the_same_here(tmp_path, more):
    g = torch.Generator().manual_seed(0)
    W_dec = torch.nn.functional.normalize(torch.randn(D_SAE, D_IN, generator=g), dim=-1)
    weights = {"W_enc": W_dec.T.contiguous(), "W_dec": W_dec}
    weights |= {"b_enc": torch.randn(D_SAE, generator=g), "b_dec": torch.randn(D_IN, generator=g)}
    artefacts.save_tensors(weights, tmp_path / "sae_weights.safetensors")
    cfg = {
        "model_name": "gpt2-small", "hook_point": HOOK, "hook_point_layer": 2, "hook_point_head_index": None,
        "dataset_path": "text", "context_size": 128, "d_in": D_IN, "d_sae": D_SAE, "dtype": "float32",
        "device": "cpu", **more,
    }  # fmt: skip
    artefacts.write_json(cfg, tmp_path / "cfg.json")
    theirs, scale = SAE.load_from_disk(tmp_path), None
    if "normalize_activations" in more:
        scale = 1.7
        theirs.fold_activation_norm_scaling_factor(scale)
    ours = from_tensors(*foreign.read(tmp_path, scale))
    torch.testing.assert_close(decode(ours, encode(ours, Rows.x)), theirs(Rows.x), atol=1e-4, rtol=1e-5)
