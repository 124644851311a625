"""Write a GGUF file (llama.cpp's format, weights often rounded to a few bits) as a Hugging Face model folder.

`gguf`, llama.cpp's own library, parses the file and dequantises its tensors. Here are the names that transformers has
for them, the three places where llama.cpp stores something else than transformers, and config.json:

- rows of the query and key matrices of a Llama come in another order (rotary pairs side by side, not halves apart),
- RMSNorm gains of a Gemma are stored with the 1 that transformers adds,
- matrices of a GPT-2 are stored as [d_out, d_in].

Weights are written in float32, so that what a quantised file says is what the model computes with.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from scripts.monosem.core import artefacts
from scripts.monosem.models import gguf_tokenizer, model_folder

if TYPE_CHECKING:
    from gguf import GGUFReader

BLOCK = re.compile(r"blk\.(?P<layer>\d+)\.(?P<name>.+)")
DERIVED = re.compile(r"(?:blk\.\d+\.)?(?:rope_freqs|attn\.bias|attn_rot_embd)(?:\.weight)?$")


@dataclass(frozen=True)
class Layout:
    """Names and layout in transformers of one architecture of GGUF."""

    model_type: str
    """`model_type` of config.json."""
    model_class: str
    """Class of the causal language model, the `architectures` entry of config.json."""
    keys: Mapping[str, str]
    """Key of the file without the architecture's name -> key of config.json; the file must have all of them."""
    top: Mapping[str, str]
    """Tensor outside the blocks -> name in transformers."""
    block: Mapping[str, str]
    """Module within a block -> path within transformers' block."""
    blocks: str
    """Path of the list of blocks."""
    optional_keys: Mapping[str, str] = field(default_factory=dict)
    """The same as `keys`, for what not every file has."""
    rotary_pairs: bool = False
    """Rows of attn_q and attn_k are permuted."""
    norm_offset: float = 0.0
    """Constant that transformers adds to the gain of a norm, and that the file includes."""
    transposed: bool = False
    """Matrices of the blocks are [d_in, d_out] in transformers."""
    scaled_by_width: int | None = None
    """Number of blocks of the one size whose attention scores are scaled by d_model / n_head instead of d_head."""


_KEYS = {
    "context_length": "max_position_embeddings", "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size", "embedding_length": "hidden_size",
    "attention.head_count": "num_attention_heads", "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}  # fmt: skip
_OPTIONAL = {"rope.freq_base": "rope_theta", "attention.key_length": "head_dim"}
_GEMMA_OPTIONAL = {
    **_OPTIONAL, "attention.sliding_window": "sliding_window", "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}  # fmt: skip
_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_BLOCK = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
_NORM_AFTER = {
    **_BLOCK, "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip
_LLAMA_LIKE = {"keys": _KEYS, "optional_keys": _OPTIONAL, "top": _TOP, "block": _BLOCK, "blocks": "model.layers"}
_GEMMA_LIKE = {**_LLAMA_LIKE, "optional_keys": _GEMMA_OPTIONAL, "norm_offset": 1.0}

LAYOUTS = {
    "llama": Layout("llama", "LlamaForCausalLM", rotary_pairs=True, **_LLAMA_LIKE),
    "qwen2": Layout("qwen2", "Qwen2ForCausalLM", **_LLAMA_LIKE),
    "qwen3": Layout("qwen3", "Qwen3ForCausalLM", **_LLAMA_LIKE),
    "gemma": Layout("gemma", "GemmaForCausalLM", **_GEMMA_LIKE),
    "gemma2": Layout("gemma2", "Gemma2ForCausalLM", scaled_by_width=46, **{**_GEMMA_LIKE, "block": _NORM_AFTER}),
    "gemma3": Layout("gemma3_text", "Gemma3ForCausalLM", scaled_by_width=62, **{**_GEMMA_LIKE, "block": _NORM_AFTER}),
    "gpt2": Layout(
        "gpt2",
        "GPT2LMHeadModel",
        keys={
            "context_length": "n_positions", "block_count": "n_layer", "feed_forward_length": "n_inner",
            "embedding_length": "n_embd", "attention.head_count": "n_head",
            "attention.layer_norm_epsilon": "layer_norm_epsilon",
        },
        top={
            "token_embd.weight": "transformer.wte.weight", "position_embd.weight": "transformer.wpe.weight",
            "output_norm.weight": "transformer.ln_f.weight", "output_norm.bias": "transformer.ln_f.bias",
            "output.weight": "lm_head.weight",
        },
        block={
            "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
            "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
        },
        blocks="transformer.h",
        transposed=True,
    ),
}  # fmt: skip


def open_file(path: Path) -> "GGUFReader":
    """The file's fields and tensors, its tensors in the file's pages. Raises: ArtefactError for another format."""
    from gguf import GGUFReader

    if not path.is_file():
        raise artefacts.ArtefactError(f"{path} is missing; give the path of a GGUF file")
    try:
        return GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError, UnicodeDecodeError) as error:
        raise artefacts.ArtefactError(f"{path} is cut short or no GGUF file ({error}); fetch it again") from None


def field_of(reader: "GGUFReader", key: str, default: Any = None) -> Any:
    """Value of a key of the file's header as plain Python, or the default."""
    entry = reader.get_field(key)
    return default if entry is None else entry.contents()


def layout_of(reader: "GGUFReader", path: Path) -> Layout:
    """The layout of the file's architecture. Raises: ArtefactError for one that is not known."""
    name = field_of(reader, "general.architecture")
    if name not in LAYOUTS:
        raise artefacts.ArtefactError(f"{path}: architecture '{name}' is none of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def config_of(reader: "GGUFReader", path: Path) -> dict[str, Any]:
    """config.json of the model.

    Raises: ArtefactError naming a key that is missing, or stretched rotary positions, which are not read.
    """
    layout, prefix = layout_of(reader, path), field_of(reader, "general.architecture")
    scaling = field_of(reader, f"{prefix}.rope.scaling.type", "none")
    if scaling != "none" or any(tensor.name.startswith("rope_freqs") for tensor in reader.tensors):
        raise artefacts.ArtefactError(f"{path}: rotary positions are scaled ({scaling}), which cannot be read")
    values = {}
    for key, name in {**layout.keys, **layout.optional_keys}.items():
        value = field_of(reader, f"{prefix}.{key}")
        if value is not None:
            values[name] = value
        elif key in layout.keys:
            raise artefacts.ArtefactError(f"{path}: the key '{prefix}.{key}' is missing; fetch another file")
    if layout.scaled_by_width:  # no key of the file says it; llama.cpp goes by the number of blocks, too
        by_width = values["num_hidden_layers"] == layout.scaled_by_width
        width = values["hidden_size"] // values["num_attention_heads"]
        values["query_pre_attn_scalar"] = width if by_width else values["head_dim"]
    names = {tensor.name for tensor in reader.tensors}
    ids = {"bos": "bos", "eos": "eos", "pad": "padding"}
    special = {
        f"{ours}_token_id": field_of(reader, f"tokenizer.ggml.{theirs}_token_id") for ours, theirs in ids.items()
    }
    return {
        "architectures": [layout.model_class],
        "model_type": layout.model_type,
        **values,
        **special,
        "vocab_size": next(int(tensor.shape[-1]) for tensor in reader.tensors if tensor.name == "token_embd.weight"),
        "tie_word_embeddings": "output.weight" not in names,
        "torch_dtype": "float32",
    }


def name_of(tensor: str, layout: Layout) -> str | None:
    """Name of a tensor in transformers; None for one that the layout does not know."""
    if tensor in layout.top:
        return layout.top[tensor]
    if not (match := BLOCK.fullmatch(tensor)):
        return None
    module, _, kind = match["name"].rpartition(".")
    path = layout.block.get(module)
    return path and f"{layout.blocks}.{match['layer']}.{path}.{kind}"


def halves_apart(weight: Shaped[np.ndarray, "d_out *d_in"], n_head: int) -> Shaped[np.ndarray, "d_out *d_in"]:
    """Rows of a query or key matrix (or bias) in transformers' order: (x₀ … x_{d/2−1}, y₀ …) for pairs (x₀, y₀), ….

    The inverse of `permute` in llama.cpp's convert_hf_to_gguf.py.
    """
    pairs = weight.reshape(n_head, weight.shape[0] // n_head // 2, 2, *weight.shape[1:])
    return pairs.swapaxes(1, 2).reshape(weight.shape)


def tensors_of(reader: "GGUFReader", path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names in transformers and float32 values, one tensor at a time.

    Raises: ArtefactError for a tensor that the layout does not know, or for NaN or infinity.
    """
    from gguf import dequantize

    layout, config = layout_of(reader, path), config_of(reader, path)
    for tensor in reader.tensors:
        if DERIVED.fullmatch(tensor.name):
            continue
        name = name_of(tensor.name, layout)
        if name is None:
            raise artefacts.ArtefactError(f"{path}: tensor '{tensor.name}' is unknown in a {layout.model_type}")
        value = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        value = value.reshape([int(size) for size in reversed(tensor.shape)])
        if layout.rotary_pairs and (side := re.search(r"\.attn_(q|k)\.", tensor.name)):
            heads = "num_attention_heads" if side[1] == "q" else "num_key_value_heads"
            value = halves_apart(value, config[heads])
        if layout.norm_offset and name.endswith("norm.weight"):
            value = value - layout.norm_offset
        if layout.transposed and value.ndim == 2 and name.startswith(f"{layout.blocks}."):
            value = np.ascontiguousarray(value.T)
        if not np.isfinite(value).all():
            raise artefacts.ArtefactError(f"{path}: tensor '{tensor.name}' holds NaN or infinity; fetch it again")
        yield name, value


def quantisation_of(reader: "GGUFReader") -> dict[str, int]:
    """Parameters by the type that stores them, e.g. {"Q4_1": 106168320, "F32": 35136}."""
    counts: dict[str, int] = {}
    for tensor in reader.tensors:
        counts[tensor.tensor_type.name] = counts.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def write_folder(path: Path, folder: Path) -> dict[str, Any]:
    """Write config.json, model.safetensors, tokenizer.json and tokenizer_config.json of a GGUF file.

    Returns: origin of the weights: file name, its sha256, parameters by quantisation.
    Raises: ArtefactError in one sentence for a file that is cut, of an unknown architecture, or not understood whole.
    """
    from safetensors.numpy import save_file

    reader = open_file(path)
    config = config_of(reader, path)
    tokenizer, tokenizer_config = gguf_tokenizer.tokenizer_of(
        lambda key, default=None: field_of(reader, key, default), path
    )
    folder.mkdir(parents=True, exist_ok=True)
    artefacts.require_disk(folder, 4 * sum(int(tensor.n_elements) for tensor in reader.tensors), str(path))
    with artefacts.atomic_path(folder / model_folder.WEIGHTS) as temporary:
        save_file(dict(tensors_of(reader, path)), temporary, {"format": "pt"})
    origin = {"file": path.name, "sha256": artefacts.sha256(path), "quantisation": quantisation_of(reader)}
    with artefacts.atomic_path(folder / model_folder.TOKENIZER) as temporary:
        tokenizer.save(str(temporary))
    artefacts.write_json(tokenizer_config, folder / model_folder.TOKENIZER_CONFIG)
    artefacts.write_json({**config, "gguf": origin}, folder / model_folder.CONFIG)
    return origin


def resource(name: str) -> Path:
    """Path of a GGUF file: a path, or `package:file` of an installed package, which is not imported for it.

    Raises: ArtefactError naming the package that is not installed, or its GGUF files.
    """
    from importlib import util

    package, colon, file = name.partition(":")
    if not colon or not package.isidentifier():
        return Path(name).expanduser()
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise artefacts.ArtefactError(f"the package '{package}' is not installed; install it, or give a path")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not (folder / file).is_file():
        there = ", ".join(sorted(each.name for each in folder.glob("*.gguf"))) or "none"
        raise artefacts.ArtefactError(f"the package '{package}' has no file '{file}'; its GGUF files: {there}")
    return folder / file
