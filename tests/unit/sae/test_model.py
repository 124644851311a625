"""Encoding, decoding, files."""

from dataclasses import replace

import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.sae import model
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.fold import folded
from scripts.monosem.sae.model import (
    Sae,
    concatenate,
    decode,
    decode_active,
    encode,
    encode_active,
    from_tensors,
    load_sae,
    reads,
    silenced,
)
from scripts.monosem.sae.saelens import save_sae
from tests.helpers.sae_toys import random_parameters

KIND_CONFIGS = {
    name: SaeConfig(name, 16, vectors=1, k=3 if "k" in kind.required else None) for name, kind in ARCHITECTURES.items()
}
every_kind = pytest.mark.parametrize("kind", ARCHITECTURES)


def identity(signs=(1.0,), k=None, **extra):
    rows = torch.cat([sign * torch.eye(2) for sign in signs])
    cfg = {"architecture": "topk" if k else "standard", "d_in": 2, "d_sae": len(rows), "metadata": {}}
    return Sae(
        cfg | ({"k": k} if k else {}), rows.T.contiguous(), torch.zeros(len(rows)), rows, torch.zeros(2), k, **extra
    )


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


def test_jumprelu_passes_unchanged_what_exceeds_its_threshold_and_silences_the_rest():
    sae = identity(threshold=torch.tensor([1.0, 0.0]))
    x = torch.tensor([[1.5, 0.3], [1.0, -0.3], [0.5, 0.0]])
    assert torch.equal(encode(sae, x), torch.tensor([[1.5, 0.3], [0.0, 0.0], [0.0, 0.0]]))


def test_gate_decides_and_magnitude_speaks():
    b_gate, r_mag, b_mag = torch.tensor([-1.0, 0.0]), torch.tensor([3.0, 1.0]).log(), torch.tensor([0.5, -4.0])
    sae = replace(identity(r_mag=r_mag, b_mag=b_mag), b_enc=b_gate)
    x = torch.tensor([[2.0, 5.0], [1.0, 3.0], [9.0, -7.0]])
    # first latent: gate 2 − 1 > 0 gives 3·2 + 0.5; gate 1 − 1 is shut. Second: gate 3 > 0, but relu(3 − 4) = 0
    assert torch.allclose(encode(sae, x), torch.tensor([[6.5, 1.0], [0.0, 0.0], [27.5, 0.0]]))


def trained(kind, scale=1.7, dtype=torch.float32):
    """An SAE as training would leave it: folded random weights."""
    config = KIND_CONFIGS[kind]
    extra = {"jumprelu": {"threshold"}, "gated": {"r_mag", "b_mag"}}.get(kind, set())
    weights = random_parameters(6, 16, dtype=dtype, extra=extra)
    if not config.unit_rows:
        weights.decoder.mul_(torch.linspace(0.1, 2, 16, dtype=dtype).unsqueeze(1))
    tensors = folded(weights, scale, config, 0.3 if ARCHITECTURES[kind].saved_as == "jumprelu" and not extra else None)
    cfg = {"architecture": ARCHITECTURES[kind].saved_as, "d_in": 6, "d_sae": 16, "metadata": {}}
    return from_tensors(cfg | ({"k": 3} if kind == "topk" else {}), tensors), tensors


@every_kind
def test_sparse_codes_equal_the_dense_ones_in_any_split(kind):
    sae, x = trained(kind)[0], torch.randn(25, 6, generator=torch.Generator().manual_seed(0)) * 2
    dense = encode(sae, x)
    codes = concatenate([encode_active(sae, part) for part in x.split([7, 1, 17])])
    again = torch.zeros_like(dense)
    again[torch.repeat_interleave(torch.arange(25), codes.offsets.diff()), codes.latents] = codes.values
    assert 0 < (dense > 0).sum() < dense.numel() and (dense >= 0).all()
    torch.testing.assert_close(again, dense)
    torch.testing.assert_close(decode_active(sae, codes), decode(sae, dense))


@every_kind
def test_nothing_is_active_above_the_norm_limit_and_all_else_is_as_before(kind):
    sae, x = trained(kind)[0], torch.randn(25, 6, generator=torch.Generator().manual_seed(0)) * 2
    x[[3, 20]] *= 1000
    limited = replace(sae, norm_limit=100.0)
    dense, codes = encode(limited, x), encode_active(limited, x)
    again = torch.zeros_like(dense)
    again[torch.repeat_interleave(torch.arange(25), codes.offsets.diff()), codes.latents] = codes.values
    expected = encode(sae, x)
    assert (expected[[3, 20]] > 0).any()
    expected[[3, 20]] = 0
    assert torch.equal(dense, expected)
    torch.testing.assert_close(again, expected)
    assert torch.equal(decode(limited, dense)[3], sae.b_dec)
    assert encode(limited, torch.full((1, 6), torch.nan)).isnan().any() or kind in ("topk", "jumprelu")
    assert reads(limited, x).tolist() == [row not in (3, 20) for row in range(25)]
    assert torch.equal(silenced(limited, x), torch.where(reads(limited, x)[:, None], x, torch.zeros(())))


@every_kind
def test_a_batch_of_no_rows_has_no_codes(kind):
    for limit in (float("inf"), 1.0):
        sae, x = replace(trained(kind)[0], norm_limit=limit), torch.zeros(0, 6)
        codes = encode_active(sae, x)
        assert encode(sae, x).shape == (0, 16) and decode_active(sae, codes).shape == (0, 6)
        assert codes.offsets.tolist() == [0] and len(codes.values) == len(codes.latents) == 0
        both = concatenate([codes, encode_active(sae, torch.ones(1, 6))])
        assert len(both.offsets) == 2


@every_kind
def test_saving_and_loading_keeps_every_bit(tmp_path, kind):
    sae, tensors = trained(kind)
    save_sae(tensors, sae.cfg, tmp_path / "sae_weights.safetensors", tmp_path / "cfg.json")
    loaded, x = load_sae(tmp_path), torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    assert set(tensors) == set(model.TENSORS[sae.cfg["architecture"]])
    assert torch.equal(encode(loaded, x), encode(sae, x))
    assert torch.equal(decode(loaded, encode(loaded, x)), decode(sae, encode(sae, x)))


@every_kind
def test_folding_the_scale_gives_the_same_sae_on_raw_data(kind):
    s = 3.7
    scaled, raw = (trained(kind, scale, torch.float64)[0] for scale in (1.0, s))
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(encode(raw, x), encode(scaled, s * x) / s)
    torch.testing.assert_close(decode(raw, encode(raw, x)), decode(scaled, encode(scaled, s * x)) / s)
    assert (raw.W_dec.norm(dim=1) - 1).abs().max() < 1e-12


def test_free_rows_and_a_missing_pre_encoder_bias_are_folded_away():
    weights = random_parameters(6, 16)
    weights.decoder.mul_(torch.linspace(0.1, 2, 16, dtype=torch.float64).unsqueeze(1))
    config = SaeConfig("relu_decoder_norm", 16, vectors=1, l1_coefficient=1.0)
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    f = torch.relu(x @ weights.encoder.T + weights.b_enc)  # b_dec is not subtracted
    sae = from_tensors({"architecture": "standard"}, folded(weights, 1.0, config))
    torch.testing.assert_close(encode(sae, x), f * weights.decoder.norm(dim=1))
    torch.testing.assert_close(decode(sae, encode(sae, x)), f @ weights.decoder + weights.b_dec)
    ablated = SaeConfig("relu", 16, vectors=1, l1_coefficient=1.0, pre_encoder_bias=False)
    torch.testing.assert_close(encode(from_tensors({}, folded(weights, 1.0, ablated)), x), f)


def saved(folder, **metadata):
    sae, tensors = trained("relu")
    cfg = sae.cfg | {"metadata": metadata}
    save_sae(tensors, cfg, folder / "sae_weights.safetensors", folder / "cfg.json")


def test_the_norm_limit_is_read_from_cfg_json_and_null_is_none(tmp_path):
    for stored, limit in ((12.5, 12.5), (None, float("inf"))):
        saved(tmp_path, norm_limit=stored)
        assert load_sae(tmp_path).norm_limit == limit
    saved(tmp_path)
    assert load_sae(tmp_path).norm_limit == float("inf")  # of a file that does not know of it
    saved(tmp_path, norm_limit="12")
    with pytest.raises(artefacts.ArtefactError, match="metadata.norm_limit is '12', expected a number above 0 or null"):
        load_sae(tmp_path)


def test_a_foreign_model_is_refused_by_both_names(tmp_path):
    saved(tmp_path, model_name="onelayer-a", model_sha256="a" * 64)
    assert load_sae(tmp_path, expect_model_sha="a" * 64, expect_d_in=6).d_sae == 16
    with pytest.raises(artefacts.ArtefactError, match=r"onelayer-a.*aaaaaaaaaaaa.*bbbbbbbbbbbb"):
        load_sae(tmp_path, expect_model_sha="b" * 64)
    with pytest.raises(artefacts.ArtefactError, match="width 6.*have 7"):
        load_sae(tmp_path, expect_d_in=7)


def test_wrong_shapes_nan_and_cut_files_are_refused(tmp_path):
    saved(tmp_path)
    cfg = artefacts.read_json(tmp_path / "cfg.json")
    artefacts.write_json(cfg | {"d_sae": 17}, tmp_path / "cfg.json")
    with pytest.raises(artefacts.ArtefactError, match="W_enc has shape"):
        load_sae(tmp_path)
    artefacts.write_json(cfg | {"architecture": "topk", "k": 99}, tmp_path / "cfg.json")
    with pytest.raises(artefacts.ArtefactError, match="k is 99"):
        load_sae(tmp_path)
    artefacts.write_json(cfg | {"architecture": "jumprelu"}, tmp_path / "cfg.json")
    with pytest.raises(artefacts.ArtefactError, match="threshold is missing"):
        load_sae(tmp_path)
    artefacts.write_json(cfg | {"architecture": "crosscoder"}, tmp_path / "cfg.json")
    with pytest.raises(artefacts.ArtefactError, match="'crosscoder' is not known here"):
        load_sae(tmp_path)
    artefacts.write_json(cfg, tmp_path / "cfg.json")
    weights = tmp_path / "sae_weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-40] + b"\xff" * 40)
    with pytest.raises(artefacts.ArtefactError, match="NaN"):
        load_sae(tmp_path)
    weights.write_bytes(whole[:-40])
    with pytest.raises(artefacts.ArtefactError, match="sae_weights"):
        load_sae(tmp_path)
    with pytest.raises(artefacts.ArtefactError, match="not written"):
        save_sae({"W_dec": torch.full((2, 2), torch.nan)}, cfg, weights, tmp_path / "cfg.json")
