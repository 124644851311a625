"""Memory, arithmetic and disk from config.json alone, against real models and by hand."""

import psutil
import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.models import cost
from scripts.monosem.models.families import family_of
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
