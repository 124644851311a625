"""Extraction and storage: what comes back is what the model computed, and damaged files are refused by name."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.activations import run_pass
from scripts.monosem.activations import store as act
from scripts.monosem.activations.row_writer import RowWriter
from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.models import sites
from scripts.monosem.text.tokens import TokenStream, windows

SITE = "blocks.0.mlp.hook_post"
CONTEXT = 8
CONFIG = GPT2Config(n_layer=1, n_embd=8, n_head=2, n_positions=CONTEXT, vocab_size=30, bos_token_id=0, eos_token_id=0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return GPT2LMHeadModel(CONFIG).eval()


@pytest.fixture(scope="module")
def stream():
    tokens = np.random.default_rng(0).integers(1, 30, 400).astype(np.uint16)
    documents = np.array([0, 50, 130, 131, 400])
    tokens[documents[:-1]] = 0
    n = len(documents) - 1
    return TokenStream(
        tokens,
        np.zeros(400, np.uint8),
        documents,
        np.ones(n, np.int32),
        np.ones(n, bool),
        eos_token_id=0,
        vocab_size=30,
    )


def extract(model, stream, folder, site=SITE, **changes):
    config = run_pass.Extraction(**{"tokens": 10_000, "dtype": "float16", "drop_first_position": True, **changes})
    folder.mkdir(exist_ok=True)
    identity = {"model": "m", "model_sha256": "0"}
    return run_pass.extract_all(model, {site: folder}, stream, CONTEXT, config, 0, identity)[site]


def test_rows_are_the_models_activations_in_the_order_of_the_windows(model, stream, tmp_path):
    manifest = extract(model, stream, tmp_path, batch_size=7)
    store = act.open_activations(tmp_path)
    starts = windows(stream, CONTEXT, None, derive_seed(0, "windows"))
    tokens = torch.from_numpy(stream.tokens[starts[:, None] + np.arange(CONTEXT)].astype(np.int64))
    keep = tokens != 0
    keep[:, 0] = False
    expected = sites.capture(model, sites.resolve(model, SITE), tokens)[keep]
    assert store.n_tokens == manifest["n_tokens"] == len(expected)
    torch.testing.assert_close(store.gather(np.arange(store.n_tokens)), expected, atol=1e-3, rtol=1e-3)
    assert np.array_equal(np.load(tmp_path / "positions.npy"), keep.nonzero()[:, 1].numpy())


def test_manifest_statistics_equal_those_of_the_stored_rows(model, stream, tmp_path):
    manifest = extract(model, stream, tmp_path)
    rows = act.open_activations(tmp_path).gather(np.arange(manifest["n_tokens"])).double()
    np.testing.assert_allclose(manifest["mean"], rows.mean(0), atol=1e-12)
    assert manifest["mean_norm"] == pytest.approx(rows.norm(dim=1).mean().item())
    assert manifest["rms_norm"] == pytest.approx(rows.square().sum(1).mean().sqrt().item())


def test_the_first_position_is_dropped_on_demand_and_the_end_of_text_always(model, stream, tmp_path):
    kept = extract(model, stream, tmp_path, drop_first_position=False)["n_tokens"]
    assert kept == int((np.asarray(stream.tokens) != 0).sum())


def test_exactly_as_many_rows_as_asked_for(model, stream, tmp_path):
    assert extract(model, stream, tmp_path, tokens=33)["n_tokens"] == 33


@pytest.fixture(scope="module")
def stored(model, stream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    extract(model, stream, folder)
    return act.open_activations(folder)


@settings(deadline=None)
@given(indices=st.lists(st.integers(0, 299), min_size=1, max_size=50))
def test_gather_equals_indexing(stored, indices):
    everything = stored.gather(np.arange(stored.n_tokens))
    assert torch.equal(stored.gather(np.array(indices)), everything[indices])


@pytest.mark.parametrize("dtype, tolerance", [("float16", 2**-10), ("bfloat16", 2**-7)])
def test_both_dtypes_round_trip(model, stream, tmp_path, dtype, tolerance):
    extract(model, stream, tmp_path, dtype=dtype, site="blocks.0.hook_resid_post", tokens=50)
    store = act.open_activations(tmp_path)
    assert store.gather(np.arange(50)).dtype == torch.float32
    full = act.open_activations(tmp_path).gather(np.arange(50))
    rounded = full.to(act.DTYPES[dtype]).float()
    assert torch.equal(full, rounded) and full.abs().max() > tolerance


def test_values_too_large_for_float16_are_stored_in_bfloat16(stream, tmp_path):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(CONFIG).eval()
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.bias[3] = 1e5
    manifest = extract(model, stream, tmp_path)
    assert (manifest["dtype_asked"], manifest["dtype"]) == ("float16", "bfloat16") and manifest["largest"] > 9e4
    store = act.open_activations(tmp_path)
    assert store.gather(np.arange(5))[:, 3].min() > 9e4
    asked = tmp_path / "asked"
    extract(model, stream, asked, dtype="bfloat16")
    rows = np.arange(store.n_tokens)
    assert torch.equal(store.gather(rows), act.open_activations(asked).gather(rows))


def test_an_overflow_late_and_at_one_site_repeats_that_site_alone(stream, tmp_path):
    """The outlier hangs on one token; other sites keep float16, and nothing of the first attempt stays."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(CONFIG).eval()
    starts = windows(stream, CONTEXT, None, derive_seed(0, "windows"))
    tokens = np.minimum(stream.tokens, 28)
    tokens[starts[-1] + 3] = 29
    stream = dataclasses.replace(stream, tokens=tokens)
    with torch.no_grad():
        model.transformer.wte.weight[29, 0] = 1e5
    folders = {name: tmp_path / name for name in ("blocks.0.hook_resid_pre", "blocks.0.mlp.hook_post")}
    config = run_pass.Extraction(10_000, "float16", True, batch_size=4)
    manifests = run_pass.extract_all(model, folders, stream, CONTEXT, config, 0, {})
    assert [manifest["dtype"] for manifest in manifests.values()] == ["bfloat16", "float16"]
    for name, folder in folders.items():
        alone = run_pass.extract_all(model, {name: tmp_path / "alone"}, stream, CONTEXT, config, 0, {})
        assert alone[name] == manifests[name]
        assert {path.name for path in folder.iterdir()} == {"activations.npy", "positions.npy", "manifest.json"}


def test_nan_in_the_model_is_an_error_and_leaves_no_manifest(stream, tmp_path):
    model = GPT2LMHeadModel(CONFIG).eval()
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.bias[3] = float("nan")
    with pytest.raises(artefacts.ArtefactError, match="gives NaN or infinity"):
        extract(model, stream, tmp_path)
    assert not (tmp_path / "manifest.json").exists()


def test_the_file_is_what_numpy_writes(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**16, (1000, 7)).astype(np.uint16)
    writer = RowWriter(tmp_path / "activations.npy", 7)
    for part in np.split(bits, [1, 400, 999]):
        writer.write(part)
    writer.close()
    np.save(tmp_path / "whole.npy", bits)
    assert (tmp_path / "activations.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "foreign", "missing"])
def test_damaged_files_are_refused_by_name(model, stream, tmp_path, damage):
    extract(model, stream, tmp_path)
    path = tmp_path / "activations.npy"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "foreign":
        artefacts.save_npy(np.zeros((3, 32), np.uint16), path)
    else:
        path.unlink()
    with pytest.raises(artefacts.ArtefactError, match="activations.npy"):
        act.open_activations(tmp_path)


def test_too_small_a_disk_is_refused_before_any_work(model, stream, tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(artefacts.ArtefactError, match="only 10 B are free"):
        extract(model, stream, tmp_path)
