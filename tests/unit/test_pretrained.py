"""Opening model folders: saved by us or by Hugging Face, the same model; damaged or foreign ones are refused."""

import json

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem import gpt2, io, pretrained

SHAPE = gpt2.Architecture(2, 16, 2, 32, 12, "gelu_new", 50)
TOKENS = torch.arange(12)[None]


@pytest.fixture
def folder(tmp_path):
    """A folder as the workflow writes it."""
    io.save_tensors(gpt2.initialise(SHAPE, 0), tmp_path / "model.safetensors")
    io.write_json(SHAPE.hf_config(0), tmp_path / "config.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_our_folder_opens_and_agrees_with_the_lean_forward(folder):
    model = pretrained.load_model(folder)
    logits = gpt2.final_hidden(gpt2.initialise(SHAPE, 0), SHAPE, TOKENS) @ model.lm_head.weight.T
    torch.testing.assert_close(model(TOKENS).logits[0], logits, atol=1e-5, rtol=1e-5)
    assert not model.training and not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_folders_saved_by_hugging_face_open_alike_with_and_without_prefix(tmp_path, prefix):
    """The published gpt2 weights lack the prefix and carry attention masks."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2, n_positions=12, vocab_size=50)).eval()
    model.save_pretrained(tmp_path)
    state = {n.replace("transformer.", prefix): v for n, v in io.load_tensors(tmp_path / "model.safetensors").items()}
    state[f"{prefix}h.0.attn.bias"] = torch.ones(1, 1, 12, 12)
    io.save_tensors(state, tmp_path / "model.safetensors")
    assert torch.equal(pretrained.load_model(tmp_path)(TOKENS).logits, model(TOKENS).logits)


def test_transformers_itself_opens_our_folder(folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert torch.equal(model(TOKENS).logits, pretrained.load_model(folder)(TOKENS).logits)


def test_cut_weights_nan_and_foreign_models_are_refused_by_name(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(io.ArtefactError, match="model.safetensors is cut short"):
        pretrained.load_model(folder)
    parameters = gpt2.initialise(SHAPE, 0)
    del parameters["transformer.ln_f.bias"]
    io.save_tensors(parameters, weights)
    with pytest.raises(io.ArtefactError, match="ln_f.bias"):
        pretrained.load_model(folder)
    weights.write_bytes(whole)
    (folder / "config.json").write_text(json.dumps({**SHAPE.hf_config(0), "model_type": "bert"}))
    with pytest.raises(io.ArtefactError, match="'bert', expected 'gpt2'"):
        pretrained.load_model(folder)


@pytest.mark.parametrize("repository", ["gpt2", "openai-community/gpt2"])
def test_weights_in_the_hub_cache_are_found_without_network(folder, tmp_path, monkeypatch, repository):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert pretrained.find_pretrained("gpt2") is None
    snapshot = tmp_path / "hub" / ("models--" + repository.replace("/", "--")) / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert pretrained.find_pretrained("gpt2") is None  # an interrupted download is not a model
    for name in pretrained.NEEDED:
        (snapshot / name).write_bytes((folder / name).read_bytes())
    assert pretrained.find_pretrained("gpt2") == snapshot
    assert pretrained.find_pretrained(str(folder)) == folder
