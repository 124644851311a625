"""Opening model folders: saved by us or by Hugging Face, the same model; damaged or foreign ones are refused."""

import copy
import gc
import json
import re
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from scripts.monosem.core import artefacts
from scripts.monosem.models import load as pretrained
from scripts.monosem.models import model_folder, sites, splice
from scripts.monosem.models.families import GPT2, family_of
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from scripts.monosem.models.gpt2.modules import initial_network
from scripts.monosem.models.link import link
from tests.helpers import family_models

SHAPE = Architecture(2, 16, 2, 32, 12, "gelu_new", 50)
TOKENS = torch.arange(12)[None]


@pytest.fixture
def folder(tmp_path):
    """A folder as the workflow writes it."""
    artefacts.save_tensors(initialise(SHAPE, 0), tmp_path / "model.safetensors")
    artefacts.write_json(SHAPE.hf_config(0), tmp_path / "config.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_our_folder_opens_as_the_network_that_was_trained(folder):
    model = pretrained.load_model(folder)
    assert torch.equal(model(TOKENS).logits, initial_network(SHAPE, 0)(TOKENS).logits)
    assert not model.training and not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_folders_saved_by_hugging_face_open_alike_with_and_without_prefix(tmp_path, prefix):
    """The published gpt2 weights lack the prefix and carry attention masks."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2, n_positions=12, vocab_size=50)).eval()
    model.save_pretrained(tmp_path)
    state = {
        n.replace("transformer.", prefix): v for n, v in artefacts.load_tensors(tmp_path / "model.safetensors").items()
    }
    state[f"{prefix}h.0.attn.bias"] = torch.ones(1, 1, 12, 12)
    artefacts.save_tensors(state, tmp_path / "model.safetensors")
    torch.testing.assert_close(pretrained.load_model(tmp_path)(TOKENS).logits, model(TOKENS).logits)


def test_transformers_itself_opens_our_folder(folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.testing.assert_close(model(TOKENS).logits, pretrained.load_model(folder)(TOKENS).logits)


def test_cut_weights_nan_and_unexpected_tensors_are_refused_by_name(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(artefacts.ArtefactError, match="model.safetensors is cut short"):
        pretrained.load_model(folder)
    parameters = initialise(SHAPE, 0)
    del parameters["transformer.ln_f.bias"]
    artefacts.save_tensors(parameters, weights)
    with pytest.raises(artefacts.ArtefactError, match="ln_f.bias"):
        pretrained.load_model(folder)
    weights.write_bytes(whole)
    (folder / "config.json").write_text(json.dumps({**SHAPE.hf_config(0), "model_type": "bert"}))
    with pytest.raises(artefacts.ArtefactError, match="does not fit its config.json.*bert.embeddings"):
        pretrained.load_model(folder)


@pytest.mark.parametrize("repository", ["gpt2", "openai-community/gpt2"])
def test_weights_in_the_hub_cache_are_found_without_network(folder, tmp_path, monkeypatch, repository):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert model_folder.find_pretrained("gpt2") is None
    snapshot = tmp_path / "hub" / ("models--" + repository.replace("/", "--")) / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert model_folder.find_pretrained("gpt2") is None  # an interrupted download is not a model
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (snapshot / name).write_bytes((folder / name).read_bytes())
    assert model_folder.find_pretrained("gpt2") == snapshot
    assert model_folder.find_pretrained(str(folder)) == folder


def saved(name, folder, **options):
    """A small model of a family as transformers saves it, and a tokenizer.json."""
    family_models.model(name).save_pretrained(folder, **options)
    family_models.save_tokenizer(folder)
    return folder


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "silu"])
def test_our_gpt2_equals_transformers_at_every_site(tmp_path, activation):
    config = copy.deepcopy(family_models.CONFIGS["gpt2"])
    config.activation_function = activation
    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ours, tokens = pretrained.load_model(tmp_path), family_models.tokens()
    assert type(ours).__module__ == "scripts.monosem.models.gpt2.modules"
    torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-5, rtol=1e-5)
    for name in [f"blocks.{layer}.{inner}" for layer in (0, 1) for inner in GPT2.sites]:
        a, b = (sites.capture(model, sites.resolve(model, name), tokens) for model in (ours, theirs))
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
        a, b = (
            splice.run_spliced(model, sites.resolve(model, name), tokens, lambda x: x.flip(0))
            for model in (ours, theirs)
        )
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_our_gpt2_separates_packed_documents_as_transformers_does(tmp_path):
    saved("gpt2", tmp_path)
    config = artefacts.read_json(tmp_path / "config.json")
    artefacts.write_json({**config, "monosem": {"attention_across_documents": False}}, tmp_path / "config.json")
    ours, theirs = pretrained.load_model(tmp_path), family_models.model("gpt2", across=False)
    tokens = family_models.tokens()
    tokens[0, 3] = tokens[1, 0] = tokens[1, 1] = family_models.SEPARATOR
    a, b = (
        sites.capture(model, sites.resolve(model, "blocks.1.hook_resid_post"), tokens, family_models.SEPARATOR)
        for model in (ours, theirs)
    )
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_unusual_gpt2_models_go_by_transformers(tmp_path):
    config = copy.deepcopy(family_models.CONFIGS["gpt2"])
    config.scale_attn_by_inverse_layer_idx = True
    theirs = GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = pretrained.load_model(tmp_path)
    assert isinstance(ours, GPT2LMHeadModel)
    assert torch.equal(ours(family_models.tokens()).logits, theirs(family_models.tokens()).logits)


@pytest.mark.parametrize("name", family_models.CONFIGS)
def test_every_family_opens_from_one_file_and_from_several(tmp_path, name):
    """And as far as one block only, without what comes after."""
    theirs, tokens = family_models.model(name), family_models.tokens()
    saved(name, tmp_path / "one")
    saved(name, tmp_path / "several", max_shard_size="4KB")
    assert len(model_folder.weight_files(tmp_path / "several")) > 1
    for kind in ("one", "several"):
        (tmp_path / "linked" / kind).mkdir(parents=True)
        hashes = link(tmp_path / kind, tmp_path / "linked" / kind, {"attention_across_documents": True})
        assert list(hashes) == model_folder.weight_files(tmp_path / kind)
        ours = pretrained.load_model(tmp_path / "linked" / kind)
        torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-5, rtol=1e-5)
        short = pretrained.load_model(tmp_path / "linked" / kind, last_block=0)
        for inner in ("mlp.hook_post", "hook_resid_post"):
            a, b = (
                sites.capture(model, sites.resolve(model, f"blocks.0.{inner}"), tokens) for model in (short, theirs)
            )
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
        assert len(sites.blocks_of(short)) == 1
        size = sum(p.numel() for p in short.parameters())
        assert size < sum(p.numel() for p in ours.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("place", [0, 5, 9])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_number_that_is_not_finite_is_noticed(dtype, place, value):
    x = torch.linspace(-2, 3, 10, dtype=dtype)
    assert pretrained.is_finite(x) and pretrained.is_finite(x[:0])
    x[place] = value
    assert not pretrained.is_finite(x)


def peak_growth(load) -> int:
    """Bytes that `load` needed at most beyond what was resident before."""

    def resident(kind: str) -> int:
        return 1024 * int(re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    except OSError:
        pytest.skip("this system keeps the peak of its processes")
    before = resident("VmRSS")
    model = load()
    del model
    return resident("VmHWM") - before


@pytest.mark.parametrize("name, width", [("gpt2", "n_inner"), ("llama", "intermediate_size")])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_after_the_last_site_are_never_in_memory(tmp_path, name, width, dtype):
    """Sixteen blocks of 4 MB or more; compared with loading the whole model."""
    config = copy.deepcopy(family_models.CONFIGS[name])
    config.update({family_of(config.to_dict()).keys["n_layer"]: 16, width: 2**16 if name == "gpt2" else 2**15})
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path, max_shard_size="12MB")
    (tmp_path / "tokenizer.json").write_text("{}")
    artefacts.write_json(
        {**artefacts.read_json(tmp_path / "config.json"), "monosem": {"dtype": dtype}}, tmp_path / "config.json"
    )
    whole = sum((tmp_path / file).stat().st_size for file in model_folder.weight_files(tmp_path))
    pretrained.load_model(tmp_path)  # what is imported on the way does not count
    growth = {
        last: peak_growth(lambda last=last: pretrained.load_model(tmp_path, last_block=last)) for last in (0, None)
    }
    assert whole > 60e6 and growth[None] > 0.8 * whole
    assert growth[0] < whole / 4


def test_a_linked_models_hash_stands_for_all_its_files(tmp_path):
    saved("llama", tmp_path / "model", max_shard_size="4KB")
    digests = []
    for change in (False, True):
        if change:
            shard = tmp_path / "model" / model_folder.weight_files(tmp_path / "model")[-1]
            tensors = artefacts.load_tensors(shard)
            artefacts.save_tensors({key: value + 1 for key, value in tensors.items()}, shard, {"format": "pt"})
        (tmp_path / "linked").mkdir(exist_ok=True)
        link(tmp_path / "model", tmp_path / "linked", {})
        digests.append(artefacts.sha256(tmp_path / "linked" / "model.safetensors"))
    assert digests[0] != digests[1]


def test_nan_in_a_file_is_refused_by_tensor_when_the_model_is_linked(tmp_path):
    saved("llama", tmp_path)
    tensors = artefacts.load_tensors(tmp_path / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    from safetensors.torch import save_file

    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "linked").mkdir()
    with pytest.raises(artefacts.ArtefactError, match="model.norm.weight"):
        link(tmp_path, tmp_path / "linked", {})


def test_a_pickled_checkpoint_becomes_safetensors(tmp_path):
    theirs = family_models.model("pythia")
    saved("pythia", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    assert model_folder.weight_files(tmp_path) == []
    (tmp_path / "linked").mkdir()
    link(tmp_path, tmp_path / "linked", {})
    ours = pretrained.load_model(tmp_path / "linked")
    assert torch.equal(ours(family_models.tokens()).logits, theirs(family_models.tokens()).logits)


def test_a_model_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    saved("llama", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 10**8}))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(artefacts.ArtefactError, match="needs 600.0 MB of memory, but only 100.0 MB are available"):
        pretrained.load_model(tmp_path)


def test_bfloat16_changes_the_weights_and_not_the_positions(tmp_path):
    saved("llama", tmp_path)
    config = artefacts.read_json(tmp_path / "config.json")
    artefacts.write_json({**config, "monosem": {"dtype": "bfloat16"}}, tmp_path / "config.json")
    model = pretrained.load_model(tmp_path)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {b.dtype for b in model.buffers()} == {torch.float32}
    logits, exact = (
        model(family_models.tokens()).logits.float(),
        family_models.model("llama")(family_models.tokens()).logits,
    )
    assert 0 < (logits - exact).norm() / exact.norm() < 0.05
