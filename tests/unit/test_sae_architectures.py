"""Encoding, decoding, files."""

import pytest
import torch

from scripts.monosem import io
from scripts.monosem.sae import training
from scripts.monosem.sae.architectures import Sae, decode, decode_active, encode, encode_active, load_sae
from scripts.monosem.sae.interchange import save_sae
from tests.unit.sae_toys import random_parameters


def identity(signs=(1.0,), k=None):
    rows = torch.cat([sign * torch.eye(2) for sign in signs])
    cfg = {"architecture": "topk" if k else "standard", "d_in": 2, "d_sae": len(rows), "metadata": {}}
    return Sae(cfg | ({"k": k} if k else {}), rows.T.contiguous(), torch.zeros(len(rows)), rows, torch.zeros(2), k)


def test_identity_weights_pass_what_is_positive():
    sae = identity()
    x = torch.tensor([[2.0, -1.0]])
    assert torch.equal(encode(sae, x), torch.tensor([[2.0, 0.0]]))
    assert torch.equal(decode(sae, encode(sae, x)), torch.tensor([[2.0, 0.0]]))


def test_plus_minus_identity_explains_everything_with_l0_of_d_in():
    sae = identity(signs=(1.0, -1.0))
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) + 5
    f = encode(sae, x)
    assert 1 - (x - decode(sae, f)).square().sum() / (x - x.mean(0)).square().sum() == 1
    assert ((f > 0).sum(1) == 2).all()


def test_topk_keeps_the_k_largest_and_never_negatives():
    sae = identity(signs=(1.0, -1.0), k=1)
    x = torch.tensor([[2.0, -3.0], [1.0, 0.5], [0.0, 0.0]])
    expected = torch.tensor([[0.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.equal(encode(sae, x), expected)
    values, latents = encode_active(sae, x)
    assert torch.equal(torch.zeros(3, 4).scatter(1, latents, values), expected)
    torch.testing.assert_close(decode_active(sae, values, latents), decode(sae, expected))
    with pytest.raises(ValueError, match="topk"):
        encode_active(identity(), x)


def saved(folder, k=None, **metadata):
    weights = training.folded(random_parameters(6, 16, dtype=torch.float32), 1.7)
    cfg = {"architecture": "topk" if k else "standard", "d_in": 6, "d_sae": 16, "metadata": metadata}
    cfg |= {"k": k} if k else {}
    save_sae(weights, cfg, folder / "sae_weights.safetensors", folder / "cfg.json")
    return Sae(cfg, *weights.values(), k)


@pytest.mark.parametrize("k", [None, 3])
def test_saving_and_loading_keeps_every_bit(tmp_path, k):
    sae, x = saved(tmp_path, k), torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    loaded = load_sae(tmp_path)
    assert torch.equal(encode(loaded, x), encode(sae, x))
    assert torch.equal(decode(loaded, encode(loaded, x)), decode(sae, encode(sae, x)))


@pytest.mark.parametrize("k", [None, 3])
def test_folding_the_scale_gives_the_same_sae_on_raw_data(k):
    weights, s = random_parameters(6, 16, dtype=torch.float64), 3.7
    cfg = {"architecture": "standard"}
    scaled = Sae(cfg, *training.folded(weights, 1.0).values(), k)
    raw = Sae(cfg, *training.folded(weights, s).values(), k)
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(encode(raw, x), encode(scaled, s * x) / s)
    torch.testing.assert_close(decode(raw, encode(raw, x)), decode(scaled, encode(scaled, s * x)) / s)
    assert (raw.W_dec.norm(dim=1) - 1).abs().max() < 1e-12


def test_a_foreign_model_is_refused_by_both_names(tmp_path):
    saved(tmp_path, model_name="onelayer-a", model_sha256="a" * 64)
    assert load_sae(tmp_path, expect_model_sha="a" * 64, expect_d_in=6).d_sae == 16
    with pytest.raises(io.ArtefactError, match=r"onelayer-a.*aaaaaaaaaaaa.*bbbbbbbbbbbb"):
        load_sae(tmp_path, expect_model_sha="b" * 64)
    with pytest.raises(io.ArtefactError, match="width 6.*have 7"):
        load_sae(tmp_path, expect_d_in=7)


def test_wrong_shapes_nan_and_cut_files_are_refused(tmp_path):
    saved(tmp_path)
    cfg = io.read_json(tmp_path / "cfg.json")
    io.write_json(cfg | {"d_sae": 17}, tmp_path / "cfg.json")
    with pytest.raises(io.ArtefactError, match="W_enc has shape"):
        load_sae(tmp_path)
    io.write_json(cfg | {"architecture": "topk", "k": 99}, tmp_path / "cfg.json")
    with pytest.raises(io.ArtefactError, match="k is 99"):
        load_sae(tmp_path)
    io.write_json(cfg, tmp_path / "cfg.json")
    weights = tmp_path / "sae_weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-40] + b"\xff" * 40)
    with pytest.raises(io.ArtefactError, match="NaN"):
        load_sae(tmp_path)
    weights.write_bytes(whole[:-40])
    with pytest.raises(io.ArtefactError, match="sae_weights"):
        load_sae(tmp_path)
    with pytest.raises(io.ArtefactError, match="not written"):
        save_sae({"W_dec": torch.full((2, 2), torch.nan)}, cfg, weights, tmp_path / "cfg.json")
