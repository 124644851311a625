"""Memory, arithmetic and disk from config.json alone, against real models and by hand."""

import psutil
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.monosem.core import artefacts
from scripts.monosem.models import cost, sites, splice
from scripts.monosem.models.families import family_of, shape_of
from tests.helpers import family_models


@pytest.mark.parametrize("name", family_models.CONFIGS)
def test_the_size_from_config_json_is_the_models_without_norms_and_biases(name):
    config = family_models.CONFIGS[name].to_dict()
    model = family_models.model(name)
    counted = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    assert cost.size_of(config).total == pytest.approx(counted, rel=0.06)  # OPT: projections, two spare positions
    if not name.startswith("opt"):
        assert cost.size_of(config).total == counted


LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip


def test_an_eight_billion_llama_is_planned_from_its_configuration(monkeypatch):
    size = cost.size_of(LLAMA_3_8B)
    assert size.total == pytest.approx(8.03e9, rel=0.001)
    half = cost.memory_bytes(LLAMA_3_8B, "bfloat16", 16)
    assert half == 2 * (size.embeddings + 17 * size.block) + cost.WORKING_BYTES
    assert half == pytest.approx(9.1e9, rel=0.01)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 8 * 10**9}))
    with pytest.raises(artefacts.ArtefactError, match="needs 9.1 GB of memory, but only 8.0 GB are available"):
        cost.require_memory(LLAMA_3_8B, "bfloat16", 16, "extracting blocks.16.mlp.hook_post")
    cost.require_memory(LLAMA_3_8B, "bfloat16", 10, "extracting blocks.10.mlp.hook_post")
    with pytest.raises(artefacts.ArtefactError, match="only 4.0 GB are available on the device"):
        cost.require_memory(LLAMA_3_8B, "bfloat16", 10, "extracting", on_device=4 * 10**9)
    sentence = cost.sentence(LLAMA_3_8B, "bfloat16", 16, 128, 1_000_000, 1e12)
    assert "17 of 32 blocks" in sentence and "9.1 GB" in sentence and "2 h" in sentence
    assert family_of(LLAMA_3_8B).gated


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("site", ["hook_resid_pre", "hook_resid_mid", "mlp.hook_post", "hook_resid_post"])
def test_the_flops_of_an_evaluation_are_those_that_torch_counts(name, site):
    """A clean pass with its reference and one replacement, counted while they run."""
    model, batch, context = family_models.model(name), 4, 8
    site = sites.resolve(model, f"blocks.0.{site}")
    tokens = torch.randint(0, model.config.vocab_size, (batch, context), generator=torch.Generator().manual_seed(0))
    unembedding = splice.unembedding_of(model)
    with FlopCounterMode(display=False) as counter:
        clean = splice.run_clean(model, site, tokens)
        reference = splice.reference(clean.final.flatten(0, 1), unembedding, tokens.flatten())
        hidden = splice.run_suffix(model, site, clean, clean.activations)
        splice.score(reference, hidden.flatten(0, 1), unembedding)
    shape = shape_of(model.config.to_dict(), family_of(model.config.to_dict()))
    blocks = shape.n_layer + shape.n_layer - 1 + (site.inner == "hook_resid_pre")
    attended = blocks * 2 * shape.n_head * shape.d_head * context  # which torch does not count on a CPU
    flops = cost.evaluation_flops(model.config.to_dict(), site.name, context, 1)
    assert counter.get_total_flops() / (batch * context) == pytest.approx(flops - attended)
