"""From a model folder to stored activations: the fast way, several sites, bfloat16, and what is loaded for it."""

import copy

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from scripts import extract_activations
from scripts.monosem.activations import bfloat16_error, run_pass
from scripts.monosem.activations import store as activation_store
from scripts.monosem.activations.extract import extract_sites
from scripts.monosem.core import artefacts
from scripts.monosem.models import load, sites
from scripts.monosem.models.families import GPT2
from scripts.monosem.models.gpt2 import onednn
from scripts.monosem.text.tokens import TokenStream
from tests.helpers import family_models
from tests.helpers.running import job

CONTEXT = family_models.CONTEXT
SITES = ["blocks.0.mlp.hook_post", "blocks.1.hook_resid_post", "blocks.0.hook_resid_pre"]


@pytest.fixture(scope="module")
def stream():
    tokens = np.random.default_rng(0).integers(1, family_models.VOCAB, 600).astype(np.uint16)
    documents = np.array([*range(0, 600, 25), 600])
    tokens[documents[:-1]] = family_models.SEPARATOR
    n = len(documents) - 1
    return TokenStream(
        tokens, np.zeros(600, np.uint8), documents, np.ones(n, np.int32), np.ones(n, bool), eos_token_id=0,
        vocab_size=family_models.VOCAB,
    )  # fmt: skip


def folder_of(name, path, **settings):
    family_models.model(name).save_pretrained(path)
    config = artefacts.read_json(path / "config.json")
    artefacts.write_json({**config, "monosem": settings}, path / "config.json")
    return path


def run(model_folder, stream, target, names=SITES, dtype="float16"):
    folders = {name: target / name for name in names}
    wanted = run_pass.Extraction(200, dtype, True)
    manifests = extract_sites(model_folder, folders, stream, CONTEXT, wanted, 0, {"model": "m"}, "cpu")
    stores = {name: activation_store.open_activations(folder) for name, folder in folders.items()}
    return manifests, {name: store.gather(np.arange(store.n_tokens)) for name, store in stores.items()}


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("across", [True, False])
def test_several_sites_in_one_pass_are_those_extracted_one_by_one(stream, tmp_path, name, across):
    folder = folder_of(name, tmp_path / "model", attention_across_documents=across)
    together = run(folder, stream, tmp_path / "together")
    for site in SITES:
        alone = run(folder, stream, tmp_path / "alone" / site, [site])
        assert alone[0][site] == together[0][site]
        assert torch.equal(alone[1][site], together[1][site])


def test_the_job_of_the_first_site_extracts_all_and_the_others_claim_theirs(stream, tmp_path, monkeypatch):
    folder, tokens, site_folder = folder_of("gpt2", tmp_path / "model"), tmp_path / "tokens", tmp_path / "activations"
    artefacts.write_json({}, tokens / "manifest.json")
    monkeypatch.setattr("scripts.monosem.text.tokens.load_tokens", lambda *_: stream)
    passes_made = []
    one_pass = run_pass.one_pass
    monkeypatch.setattr(run_pass, "one_pass", lambda *a: passes_made.append(1) or one_pass(*a))

    def extract(site, together=(), reader=(), seed=0):
        settings = {"tokens": 200, "dtype": "float16", "drop_first_position": True, "context": CONTEXT}
        files = {"model": f"{folder}/config.json", "tokens": f"{tokens}/manifest.json", "reader": list(reader)}
        params = {"activations": settings, "together": list(together), "seed": seed, "device": "cpu"}
        extract_activations.main(job(files, {"activations": f"{site_folder}/{site}/manifest.json"}, params))
        return activation_store.open_activations(site_folder / site)

    first, *others = SITES
    extract(first, others)
    assert not any((site_folder / other / "manifest.json").exists() for other in others)
    taken = [extract(other, reader=["manifest.json"]) for other in others]
    assert len(passes_made) == 1
    alone = run(folder, stream, tmp_path / "alone")[1]
    for site, store in zip(others, taken, strict=True):
        assert torch.equal(store.gather(np.arange(store.n_tokens)), alone[site])
    extract(first, others)
    extract(others[0], reader=["manifest.json"], seed=1)  # what waits is of another seed: it reads for itself
    assert len(passes_made) == 4  # one of `alone`


def test_attention_across_documents_is_in_the_manifest(stream, tmp_path):
    rows = [
        run(
            folder_of("llama", tmp_path / str(across), attention_across_documents=across),
            stream,
            tmp_path / f"o{across}",
        )
        for across in (True, False)
    ]
    first = "blocks.0.hook_resid_pre"
    assert [manifests[first]["attention_across_documents"] for manifests, _ in rows] == [True, False]
    assert torch.equal(rows[0][1][first], rows[1][1][first])  # embeddings know no other documents
    assert not torch.allclose(rows[0][1][SITES[1]], rows[1][1][SITES[1]], atol=1e-2)


def gpt2_network_of(folder, dtype, activation="gelu_new", across=False):
    config = copy.deepcopy(family_models.CONFIGS["gpt2"])
    config.activation_function = activation
    config.monosem = {"attention_across_documents": across}
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return load.cast(load.load_model(folder), dtype)


PACKED_IN_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # by oneDNN's own word


@pytest.mark.parametrize("dtype", [torch.float32, *([torch.bfloat16] if PACKED_IN_BFLOAT16 else [])])
@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new"])
@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("short", [0, 256])
def test_onednn_equals_the_modules_at_every_site(tmp_path, monkeypatch, dtype, activation, across, short):
    monkeypatch.setattr(onednn, "SHORT", short)  # both forms of attention
    network = gpt2_network_of(tmp_path, dtype, activation, across)
    assert onednn.can_read(network) and onednn.problem_with_operators(network) is None
    names = [f"blocks.{layer}.{inner}" for layer in (1, 0) for inner in GPT2.sites]
    wanted, tokens = [sites.resolve(network, name) for name in names], family_models.tokens()
    tokens[0, 3] = tokens[1, 0] = family_models.SEPARATOR
    expected = sites.capture_all(network, wanted, tokens, family_models.SEPARATOR)
    packed = sites.packing(network, tokens, family_models.SEPARATOR)
    single = [sites.capture(network, site, tokens, family_models.SEPARATOR) for site in wanted]
    reader = onednn.prepare(network)
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for site, values, alone, theirs in zip(
        wanted, onednn.read(reader, wanted, tokens, **packed), single, expected, strict=True
    ):
        for ours in (values, onednn.read(reader, [site], tokens, **packed)[0]):
            assert (ours.float() - theirs.float()).norm() <= tolerance * theirs.float().norm(), site.name
        assert torch.equal(alone, theirs)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 4e-3)])
def test_attention_is_accurate_where_scores_are_large(dtype, tolerance):
    """Scores of tens, as GPT-2 has them: rounded to bfloat16 they would be several times as far off."""
    torch.manual_seed(0)
    batch, context, heads, d_head = 2, 64, 3, 16
    qkv = (4 * torch.randn(batch * context, 3 * heads * d_head)).to(dtype)
    exact = onednn._attention(qkv.double(), batch, heads, None)
    penalty = onednn._penalty(None, batch, context, heads)

    def off(mixed):
        return float((mixed.double() - exact).norm() / exact.norm())

    assert off(onednn._short_attention(qkv, batch, heads, penalty)) < tolerance
    q, k, v = qkv.view(batch, -1, 3, heads, d_head).permute(2, 0, 3, 1, 4).reshape(3, -1, context, d_head)
    rounded = (torch.bmm(q, k.transpose(1, 2)) / d_head**0.5).bfloat16().float() + penalty
    rounded = torch.bmm(rounded.softmax(-1).to(dtype), v).view(batch, heads, context, d_head)
    assert off(rounded.transpose(1, 2).reshape(exact.shape)) > tolerance


def test_a_wide_gpt2_is_read_by_onednn_and_else_by_the_modules(stream, tmp_path, monkeypatch):
    folder = folder_of("gpt2", tmp_path / "model", attention_across_documents=True)
    plain = run(folder, stream, tmp_path / "plain")
    monkeypatch.setattr(run_pass, "PACKED_FROM", 1)
    fast = run(folder, stream, tmp_path / "packed")
    for site in SITES:
        torch.testing.assert_close(fast[1][site], plain[1][site], atol=2e-3, rtol=2e-3)
    refuse_packing(monkeypatch)
    assert torch.equal(run(folder, stream, tmp_path / "fallback")[1][SITES[0]], plain[1][SITES[0]])


def refuse_packing(monkeypatch):
    """Let oneDNN refuse bfloat16, as on a processor without AVX-512."""

    def refuse(*_):
        raise RuntimeError("mkldnn_reorder_linear_weight: bf16 path needs the cpu support avx512bw\nand a second line")

    monkeypatch.setattr(onednn, "pack", refuse)


def test_operators_that_the_processor_lacks_are_a_reason_and_no_error(tmp_path, monkeypatch):
    network = gpt2_network_of(tmp_path, torch.bfloat16)
    problem = onednn.problem_with_operators(network)
    assert problem is None if PACKED_IN_BFLOAT16 else "bf16" in problem
    refuse_packing(monkeypatch)
    assert onednn.problem_with_operators(network).endswith("needs the cpu support avx512bw")


def test_operators_that_give_nan_are_a_disagreement(tmp_path, monkeypatch):
    network = gpt2_network_of(tmp_path, torch.float32)
    assert onednn.problem_with_operators(network) is None
    monkeypatch.setattr(onednn.Linear, "plain", lambda self, x: torch.full((len(x), 1), torch.nan))
    assert "something else than torch" in onednn.problem_with_operators(network)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_bfloat16_is_extracted_on_every_processor(stream, tmp_path, monkeypatch, name):
    """With the operators where the processor has them, and as if it had none: d_model counts as wide."""
    monkeypatch.setattr(run_pass, "PACKED_FROM", 1)
    folder = folder_of(name, tmp_path / "model", dtype="bfloat16")
    fast = run(folder, stream, tmp_path / "fast", dtype="bfloat16")[1]
    refuse_packing(monkeypatch)
    slow = run(folder, stream, tmp_path / "slow", dtype="bfloat16")[1]
    for site in SITES:
        assert float((fast[site] - slow[site]).norm() / slow[site].norm()) < 0.03


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_the_manifest_has_the_error_of_bfloat16_against_float32(stream, tmp_path, name):
    manifests, rows = run(
        folder_of(name, tmp_path / "a", dtype="bfloat16"), stream, tmp_path / "half", dtype="bfloat16"
    )
    exact = run(folder_of(name, tmp_path / "b"), stream, tmp_path / "full")
    for site in SITES:
        measured = manifests[site]["bfloat16_error"][site]
        assert 0 < measured["relative_error"] < 0.1 and measured["explained_variance"] > 0.98
        off = float((rows[site] - exact[1][site]).norm() / exact[1][site].norm())
        assert off == pytest.approx(measured["relative_error"], rel=0.7)
    assert "bfloat16_error" not in exact[0][SITES[0]] and exact[0][SITES[0]]["computed_in"] == "float32"


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "opt", "pythia"])
def test_the_exact_pass_widens_one_module_at_a_time_and_restores_the_weights(name):
    """bfloat16 weights in float32 arithmetic are the same weights in a float32 model."""
    model = load.cast(copy.deepcopy(family_models.model(name)), torch.bfloat16)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    wide = load.cast(copy.deepcopy(model), torch.float32)
    site = "blocks.1.mlp.hook_post"
    measured = bfloat16_error.exact(model, [sites.resolve(model, site)], family_models.tokens(), 0)[0]
    expected = sites.capture(wide, sites.resolve(wide, site), family_models.tokens())
    torch.testing.assert_close(measured, expected, atol=1e-5, rtol=1e-5)
    for key, value in model.state_dict().items():
        assert value.dtype == torch.bfloat16 and torch.equal(value, before[key]), key


def test_bfloat16_error_is_zero_for_equal_activations_and_known_for_scaled_ones():
    x = torch.tensor([[[3.0, 4.0], [0.0, 5.0]]])
    assert bfloat16_error.compare(x, x)["relative_error"] == 0
    off = bfloat16_error.compare(x, 1.1 * x)
    assert off["relative_error"] == pytest.approx(0.1) and off["worst_token_relative_error"] == pytest.approx(0.1)
