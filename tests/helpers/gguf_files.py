"""GGUF files of small models, as llama.cpp's converter lays them out."""

from pathlib import Path

import gguf as library
import numpy as np
import torch

from scripts.monosem.models import gguf_header, gguf_tokenizer
from tests.helpers import family_models

WORDS = ["<unk>", "<|end|>", "w", "1", "2", *(f"w{i}" for i in range(1, family_models.VOCAB - 4))]


def as_llama_cpp_permutes(weight: np.ndarray, n_head: int) -> np.ndarray:
    """`permute` of llama.cpp's convert_hf_to_gguf.py."""
    halves = weight.reshape(n_head, 2, weight.shape[0] // n_head // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def write(model: torch.nn.Module, architecture: str, path: Path, vocabulary=WORDS, kind=None) -> None:
    """A GGUF file of a model, as llama.cpp's converter lays it out."""
    layout, config = gguf_header.LAYOUTS[architecture], model.config
    writer = library.GGUFWriter(path, architecture)
    for key, name in {**layout.keys, **layout.optional_keys}.items():
        rotary = getattr(config, "rope_parameters", None) or {}
        value = (
            rotary.get("full_attention", rotary).get("rope_theta")
            if name == "rope_theta"
            else getattr(config, name, None)
        )
        if value is not None:
            add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
            add(f"{architecture}.{key}", value)
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("tokenizer.ggml.pre", "gpt-2")
    writer.add_array("tokenizer.ggml.tokens", vocabulary)
    writer.add_array("tokenizer.ggml.token_type", [gguf_tokenizer.NORMAL] * len(vocabulary))
    writer.add_array("tokenizer.ggml.merges", ["w 1", "w 2"])
    writer.add_uint32("tokenizer.ggml.eos_token_id", 1)
    names = {theirs: ours for ours, theirs in layout.top.items()}
    for number in range(len(model.get_submodule(layout.blocks))):
        for module, place in layout.block.items():
            for part in ("weight", "bias"):
                names[f"{layout.blocks}.{number}.{place}.{part}"] = f"blk.{number}.{module}.{part}"
    state = model.state_dict()
    for name, tensor in state.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        value, target = tensor.float().numpy(), names[name]
        if architecture == "llama" and ".attn_q." in target:
            value = as_llama_cpp_permutes(value, config.num_attention_heads)
        if architecture == "llama" and ".attn_k." in target:
            value = as_llama_cpp_permutes(value, config.num_key_value_heads)
        if architecture.startswith("gemma") and target.endswith("norm.weight"):
            value = value + 1
        if architecture == "gpt2" and value.ndim == 2 and target.startswith("blk."):
            value = value.T
        value = np.ascontiguousarray(value)
        if kind is None or value.ndim != 2:
            writer.add_tensor(target, value)
        else:
            writer.add_tensor(target, library.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
