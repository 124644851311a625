"""The header of a GGUF file, read while a workflow is parsed: keys, tensors' names, sizes and places, config.json.

`gguf.GGUFReader` takes 5 s and more for a vocabulary of 49,152, and is not used; this takes 0.05 s, or 0.3 s with the
vocabulary.
"""

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError

BLOCK = re.compile(r"blk\.(?P<layer>\d+)\.(?P<name>.+)")
MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
SHORT = 1024
"""Values of an array that is read whatever is asked for."""


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


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file."""

    shape: tuple[int, ...]
    """Sizes, the one that varies fastest first."""
    kind: int
    """Number of the type that stores it (ggml_type)."""
    start: int
    """First byte in the file."""


@dataclass(frozen=True)
class Header:
    """Keys and tensors that a file declares."""

    fields: Mapping[str, Any]
    """Values by key; a long array is None where arrays were not asked for."""
    tensors: Mapping[str, Tensor]
    """Tensors by name, in the order of the file."""


class _Bytes:
    """A place in a file's header that moves as values are read."""

    def __init__(self, buffer: mmap.mmap) -> None:
        self.buffer, self.at = buffer, 0

    def scalar(self, form: str) -> Any:
        value = struct.unpack_from(f"<{form}", self.buffer, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def skip(self, n_bytes: int) -> None:
        self.at += n_bytes
        if self.at > len(self.buffer):
            raise ValueError("an array goes beyond the end")

    def skip_strings(self, n: int) -> None:
        """Pass over strings of a vocabulary: 100,000 of them are most of the time that a header takes."""
        at, length_at = self.at, struct.Struct("<Q").unpack_from
        for _ in range(n):
            at += 8 + length_at(self.buffer, at)[0]
        self.at = at
        self.skip(0)

    def string(self) -> str:
        length, start = self.scalar("Q"), self.at
        self.skip(length)
        return self.buffer[start : self.at].decode("utf-8")

    def value(self, kind: int, long_arrays: bool) -> Any:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.scalar(SCALARS[kind])
        inner, length = self.scalar("I"), self.scalar("Q")
        wanted = long_arrays or length <= SHORT
        if inner in SCALARS:
            start, form = self.at, f"<{length}{SCALARS[inner]}"
            self.skip(length * struct.calcsize(SCALARS[inner]))
            return list(struct.unpack_from(form, self.buffer, start)) if wanted else None
        if inner == STRING and not wanted:
            self.skip_strings(length)
            return None
        return [self.value(inner, long_arrays) for _ in range(length)]


def read(path: Path, long_arrays: bool = False) -> Header:
    """Header of a file, without the long arrays (the vocabulary) if they are not asked for.

    Raises: ArtefactError for a file that is missing, cut within its header, or of another format.
    """
    if not path.is_file():
        raise ArtefactError(f"{path} is missing; give the path of a GGUF file")
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            if buffer[:4] != MAGIC:
                raise ValueError("it does not begin with 'GGUF'")
            place = _Bytes(buffer)
            place.skip(4)
            if (version := place.scalar("I")) not in VERSIONS:
                raise ValueError(f"version {version} is none of {VERSIONS}")
            n_tensors, n_fields = place.scalar("Q"), place.scalar("Q")
            fields = {}
            for _ in range(n_fields):
                key, kind = place.string(), place.scalar("I")
                fields[key] = place.value(kind, long_arrays)
            places = {}
            for _ in range(n_tensors):
                name, n_axes = place.string(), place.scalar("I")
                shape = tuple(place.scalar("Q") for _ in range(n_axes))
                places[name] = Tensor(shape, place.scalar("I"), place.scalar("Q"))
            alignment = fields.get("general.alignment", 32)
            data = -(-place.at // alignment) * alignment
    except (ValueError, KeyError, OSError, OverflowError, RecursionError, TypeError, struct.error) as error:
        raise ArtefactError(f"{path} is cut short or no GGUF file ({error}); fetch it again") from None
    tensors = {name: Tensor(each.shape, each.kind, data + each.start) for name, each in places.items()}
    return Header(fields, tensors)


def layout_of(header: Header, path: Path) -> Layout:
    """The layout of the file's architecture. Raises: ArtefactError for one that is not known."""
    name = header.fields.get("general.architecture")
    if name not in LAYOUTS:
        raise ArtefactError(f"{path}: architecture '{name}' is none of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def config_of(header: Header, path: Path) -> dict[str, Any]:
    """config.json of the model.

    Raises: ArtefactError naming a key that is missing, or stretched rotary positions, which are not read.
    """
    layout, prefix = layout_of(header, path), header.fields["general.architecture"]
    scaling = header.fields.get(f"{prefix}.rope.scaling.type", "none")
    if scaling != "none" or any(name.startswith("rope_freqs") for name in header.tensors):
        raise ArtefactError(f"{path}: rotary positions are scaled ({scaling}), which cannot be read")
    if "token_embd.weight" not in header.tensors:
        raise ArtefactError(f"{path}: the tensor 'token_embd.weight' is missing; fetch another file")
    values = {}
    for key, name in {**layout.keys, **layout.optional_keys}.items():
        value = header.fields.get(f"{prefix}.{key}")
        if value is not None:
            values[name] = value
        elif key in layout.keys:
            raise ArtefactError(f"{path}: the key '{prefix}.{key}' is missing; fetch another file")
    if layout.scaled_by_width:  # no key of the file says it; llama.cpp goes by the number of blocks, too
        by_width = values["num_hidden_layers"] == layout.scaled_by_width
        width = values["hidden_size"] // values["num_attention_heads"]
        values["query_pre_attn_scalar"] = width if by_width else values["head_dim"]
    ids = {"bos": "bos", "eos": "eos", "pad": "padding"}
    special = {
        f"{ours}_token_id": header.fields.get(f"tokenizer.ggml.{theirs}_token_id") for ours, theirs in ids.items()
    }
    return {
        "architectures": [layout.model_class],
        "model_type": layout.model_type,
        **values,
        **special,
        "vocab_size": header.tensors["token_embd.weight"].shape[-1],
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "torch_dtype": "float32",
    }


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
        raise ArtefactError(f"the package '{package}' is not installed; install it, or give a path")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not (folder / file).is_file():
        there = ", ".join(sorted(each.name for each in folder.glob("*.gguf"))) or "none"
        raise ArtefactError(f"the package '{package}' has no file '{file}'; its GGUF files: {there}")
    return folder / file
