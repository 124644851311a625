"""Models, autoencoders and tokenizers in the form that the page reads: safetensors, float16 and int8."""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8
from safetensors.numpy import save
from tokenizers import Tokenizer
from torch import Tensor, nn

from scripts.monosem.models.gpt2 import modules
from scripts.monosem.sae.model import Sae

STEPS = 127
"""Levels of an int8 on either side of zero."""


def quantised(
    matrix: Float[np.ndarray, "rows columns"], axis: int
) -> tuple[Int8[np.ndarray, "rows columns"], Float[np.ndarray, " vectors"]]:
    """The matrix in int8, and the scale of each of its vectors, which run along `axis`: error ≤ half a scale.

    A vector's largest entry becomes 127, so that the scale is that entry / 127.
    """
    scale = np.abs(matrix).max(axis=axis, keepdims=True) / STEPS
    steps = np.divide(matrix, scale, out=np.zeros_like(matrix), where=scale > 0)
    return np.rint(steps).astype(np.int8), np.squeeze(scale, axis).astype(np.float32)


def model_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """Tensors of a GPT-2 under Hugging Face's names, in float16; a tied unembedding once."""
    return {name: value.cpu().numpy().astype(np.float16) for name, value in modules.weights_of(model).items()}


def sae_arrays(sae: Sae) -> dict[str, np.ndarray]:
    """Tensors of an autoencoder: both matrices in int8 with a scale per latent, the rest in float32.

    `bias` is b_enc − b_dec W_enc with the rounded W_enc (gated: b_gate in b_enc's place).
    """
    encoder, encoder_scale = quantised(sae.W_enc.cpu().numpy(), axis=0)
    decoder, decoder_scale = quantised(sae.W_dec.cpu().numpy(), axis=1)
    product = sae.b_dec.double().cpu().numpy() @ (encoder * encoder_scale.astype(np.float64))
    arrays = {
        "W_enc": encoder, "W_enc_scale": encoder_scale, "W_dec": decoder, "W_dec_scale": decoder_scale,
        "bias": (sae.b_enc.double().cpu().numpy() - product).astype(np.float32),
    }  # fmt: skip
    further: dict[str, Tensor | None] = {"threshold": sae.threshold}
    if sae.r_mag is not None:
        further |= {"gain": sae.r_mag.exp(), "b_gate": sae.b_enc, "b_mag": sae.b_mag}
    return arrays | {name: value.cpu().numpy() for name, value in further.items() if value is not None}


def compact(tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tables of numbers to look at: matrices of float32 as float16, and of uint32 as uint16 where that holds them."""

    def smaller(array: np.ndarray) -> np.ndarray:
        if array.ndim > 1 and array.dtype == np.float32:
            return array.astype(np.float16)
        if array.ndim > 1 and array.dtype == np.uint32 and array.size and array.max() < 2**16:
            return array.astype(np.uint16)
        return array

    return {name: smaller(array) for name, array in tables.items()}


def tokenizer_document(tokenizer: Tokenizer) -> dict[str, Any]:
    """Vocabulary, merges and special tokens of a byte-level BPE."""
    model = json.loads(tokenizer.to_str())
    ids = {**model["model"]["vocab"], **{token["content"]: token["id"] for token in model["added_tokens"]}}
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["model"]["merges"]]
    return {
        "vocabulary": sorted(ids, key=ids.get),
        "merges": merges,
        "special": sorted(token["id"] for token in model["added_tokens"]),
    }


def file_bytes(arrays: Mapping[str, np.ndarray], document: Any) -> bytes:
    """A safetensors file whose metadata holds a JSON document."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, {"document": json.dumps(document, ensure_ascii=False)})


def script(name: str, content: bytes) -> str:
    """A classic script that gives the page one file: a page on disk may load scripts, but not fetch."""
    packed = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
    return f"monosem.receive({json.dumps(name)}, {json.dumps(packed)});\n"


def sae_config(sae: Sae) -> dict[str, Any]:
    """The part of cfg.json that the page needs."""
    limit = sae.norm_limit if math.isfinite(sae.norm_limit) else None
    kind = sae.cfg["architecture"]
    return {"architecture": kind, "d_in": sae.d_in, "d_sae": sae.d_sae, "k": sae.k, "norm_limit": limit}


def as_in_page(sae: Sae) -> Sae:
    """The autoencoder with its matrices rounded as they are in the page."""
    arrays = sae_arrays(sae)
    encoder = torch.from_numpy(arrays["W_enc"] * arrays["W_enc_scale"])
    decoder = torch.from_numpy(arrays["W_dec"] * arrays["W_dec_scale"][:, None])
    return replace(sae, W_enc=encoder.to(sae.W_enc.device), W_dec=decoder.to(sae.W_dec.device))
