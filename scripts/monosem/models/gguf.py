"""Write a GGUF file (llama.cpp's format, weights often rounded to a few bits) as a Hugging Face model folder.

`gguf`, llama.cpp's own library, dequantises the tensors; `gguf_header` has the architectures and config.json. Here are
the three places where llama.cpp stores something else than transformers:

- rows of the query and key matrices of a Llama come in another order (rotary pairs side by side, not halves apart),
- RMSNorm gains of a Gemma are stored with the 1 that transformers adds,
- matrices of a GPT-2 are stored as [d_out, d_in].

Weights are written in float32, so that what a quantised file says is what the model computes with.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from scripts.monosem.core import artefacts
from scripts.monosem.models import gguf_header, gguf_tokenizer, model_folder
from scripts.monosem.models.gguf_header import BLOCK, Header, Layout, Tensor, config_of, layout_of

DERIVED = re.compile(r"(?:blk\.\d+\.)?(?:rope_freqs|attn\.bias|attn_rot_embd)(?:\.weight)?$")


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


def values_of(raw: np.memmap, tensor: Tensor, name: str, path: Path) -> Float32[np.ndarray, "*sizes"]:
    """Dequantised values of one tensor. Raises: ArtefactError where the file ends before it, or its type is unknown."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize
    from gguf.quants import quant_shape_to_byte_shape

    if tensor.kind not in iter(GGMLQuantizationType):
        raise artefacts.ArtefactError(f"{path}: tensor '{name}' is stored as type {tensor.kind}, which is unknown")
    kind, shape = GGMLQuantizationType(tensor.kind), tuple(reversed(tensor.shape))
    per_block, n_bytes = GGML_QUANT_SIZES[kind]
    end = tensor.start + math.prod(shape) // per_block * n_bytes
    if end > len(raw):
        raise artefacts.ArtefactError(f"{path} is cut short: tensor '{name}' ends at byte {end} of {len(raw)}")
    plain = {GGMLQuantizationType.F32: np.float32, GGMLQuantizationType.F16: np.float16}.get(kind)
    data = raw[tensor.start : end]
    data = data.view(plain).reshape(shape) if plain else data.reshape(quant_shape_to_byte_shape(shape, kind))
    return np.ascontiguousarray(dequantize(data, kind), dtype=np.float32).reshape(shape)


def tensors_of(header: Header, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names in transformers and float32 values, one tensor at a time.

    Raises: ArtefactError for a tensor that the layout does not know, or for NaN or infinity.
    """
    layout, config, raw = layout_of(header, path), config_of(header, path), np.memmap(path, np.uint8, "r")
    for original, tensor in header.tensors.items():
        if DERIVED.fullmatch(original):
            continue
        name = name_of(original, layout)
        if name is None:
            raise artefacts.ArtefactError(f"{path}: tensor '{original}' is unknown in a {layout.model_type}")
        value = values_of(raw, tensor, original, path)
        if layout.rotary_pairs and (side := re.search(r"\.attn_(q|k)\.", original)):
            heads = "num_attention_heads" if side[1] == "q" else "num_key_value_heads"
            value = halves_apart(value, config[heads])
        if layout.norm_offset and name.endswith("norm.weight"):
            value = value - layout.norm_offset
        if layout.transposed and value.ndim == 2 and name.startswith(f"{layout.blocks}."):
            value = np.ascontiguousarray(value.T)
        if not np.isfinite(value).all():
            raise artefacts.ArtefactError(f"{path}: tensor '{original}' holds NaN or infinity; fetch it again")
        yield name, value


def quantisation_of(header: Header) -> dict[str, int]:
    """Parameters by the type that stores them, most frequent first, e.g. {"Q4_1": 106168320, "F32": 35136}."""
    from gguf import GGMLQuantizationType

    counts: dict[str, int] = {}
    for tensor in header.tensors.values():
        name = GGMLQuantizationType(tensor.kind).name
        counts[name] = counts.get(name, 0) + math.prod(tensor.shape)
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def rounding_of(quantisation: Mapping[str, int]) -> str | None:
    """A file's precision for a reader: `weights rounded to 4 bits (Q4_1: 79 %, …)`; None where all are float32."""
    if set(quantisation) == {"F32"}:
        return None
    bits = re.search(r"\d+", next(iter(quantisation)))[0]
    total = sum(quantisation.values())
    parts = [f"{name} {n / total:.0%}" for name, n in quantisation.items() if n / total >= 0.005]
    return f"weights rounded to {bits} bits ({', '.join(parts)})".replace("%", " %")


def write_folder(path: Path, folder: Path, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write config.json, model.safetensors, tokenizer.json and tokenizer_config.json of a GGUF file.

    Args:
        options: for config.json, as a pretrained model of another format has them.
    Returns: origin of the weights: file name, its sha256, parameters by quantisation, and that in words.
    Raises: ArtefactError in one sentence for a file that is cut, of an unknown architecture, or not understood whole.
    """
    from safetensors.numpy import save_file

    header = gguf_header.read(path, long_arrays=True)
    config = config_of(header, path)
    tokenizer, tokenizer_config = gguf_tokenizer.tokenizer_of(header.fields.get, path)
    if len(header.fields["tokenizer.ggml.tokens"]) > config["vocab_size"]:
        raise artefacts.ArtefactError(f"{path}: the tokenizer has more tokens than the embedding rows; fetch it again")
    folder.mkdir(parents=True, exist_ok=True)
    n_parameters = sum(math.prod(tensor.shape) for tensor in header.tensors.values())
    artefacts.require_disk(folder, 4 * n_parameters, str(path))
    with artefacts.atomic_path(folder / model_folder.WEIGHTS) as temporary:
        save_file(dict(tensors_of(header, path)), temporary, {"format": "pt"})
    quantisation = quantisation_of(header)
    origin = {"file": path.name, "sha256": artefacts.sha256(path), "quantisation": quantisation}
    origin["rounding"] = rounding_of(quantisation)
    with artefacts.atomic_path(folder / model_folder.TOKENIZER) as temporary:
        tokenizer.save(str(temporary))
    artefacts.write_json(tokenizer_config, folder / model_folder.TOKENIZER_CONFIG)
    chosen = {} if options is None else {model_folder.OPTIONS: dict(options)}
    artefacts.write_json({**config, "gguf": origin, **chosen}, folder / model_folder.CONFIG)
    return origin
