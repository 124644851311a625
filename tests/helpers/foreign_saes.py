"""Autoencoders in the files of other libraries, written by hand from their formats, and what they mean, written out."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

D_IN, D_SAE, K = 6, 20, 4
MODEL, HOOK = "gpt2", "blocks.3.mlp.hook_post"
Tensors = dict[str, Tensor]


def tensors(seed: int = 0, unit: bool = True, d_in: int = D_IN, d_sae: int = D_SAE) -> Tensors:
    """Random weights under SAELens' names."""
    g = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(d_sae, d_in, generator=g)
    if unit:
        W_dec /= W_dec.norm(dim=1, keepdim=True)
    draw = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "b_dec": (d_in,)}
    return {name: torch.randn(shape, generator=g) for name, shape in draw.items()} | {"W_dec": W_dec}


def of(architecture: str, seed: int = 0) -> Tensors:
    """Random weights of an architecture."""
    t, g = tensors(seed), torch.Generator().manual_seed(seed + 1)
    if architecture == "jumprelu":
        t["threshold"] = torch.rand(D_SAE, generator=g)
    if architecture == "gated":
        t["b_gate"] = t.pop("b_enc")
        t |= {name: torch.randn(D_SAE, generator=g) for name in ("r_mag", "b_mag")}
    return t


def inputs(n: int = 50) -> Tensor:
    return torch.randn(n, D_IN, generator=torch.Generator().manual_seed(9))


def keep_largest(pre: Tensor, k: int, score: Tensor | None = None) -> Tensor:
    best = (pre if score is None else score).topk(k, dim=1).indices
    return torch.zeros_like(pre).scatter(1, best, pre.gather(1, best).relu())


def codes(architecture: str, t: Tensors, x: Tensor, k: int = K) -> Tensor:
    """The definitions of sae/model.py, written out."""
    z = (x - t["b_dec"]) @ t["W_enc"]
    if architecture == "gated":
        return (z + t["b_gate"] > 0) * (t["r_mag"].exp() * z + t["b_mag"]).relu()
    z = z + t["b_enc"]
    if architecture == "topk":
        return keep_largest(z, k)
    return z.relu() * (z > t["threshold"]) if architecture == "jumprelu" else z.relu()


def saelens_cfg(architecture: str = "topk", **more: Any) -> dict[str, Any]:
    metadata = {"sae_lens_version": "6.18.0", "model_name": MODEL, "hook_name": HOOK}
    cfg = {"architecture": architecture, "d_in": D_IN, "d_sae": D_SAE, "metadata": metadata}
    return cfg | ({"k": K} if architecture == "topk" else {}) | more


def write(folder: Path, cfg: dict[str, Any], weights: Tensors, name: str = "sae_weights.safetensors") -> Path:
    """cfg.json beside a safetensors file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file({key: value.contiguous() for key, value in weights.items()}, folder / name)
    return folder


def linear(t: Tensors, b_dec: str) -> Tensors:
    """State dict of two torch.nn.Linear and a bias."""
    state = {"encoder.weight": t["W_enc"].T, "encoder.bias": t["b_enc"], "decoder.weight": t["W_dec"].T}
    return {name: tensor.contiguous() for name, tensor in (state | {b_dec: t["b_dec"]}).items()}


def write_dictionary_learning(
    folder: Path, dict_class: str, state: dict[str, Any], buffer: dict[str, Any] | None = None, **trainer: Any
) -> Path:
    """ae.pt and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = {"dict_class": dict_class, "activation_dim": D_IN, "dict_size": D_SAE, "lm_name": MODEL} | trainer
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": buffer or {"ctx_len": 128}}))
    torch.save(state, folder / "ae.pt")
    return folder


def sparsify_state(t: Tensors) -> Tensors:
    return {"encoder.weight": t["W_enc"].T, "encoder.bias": t["b_enc"], "W_dec": t["W_dec"], "b_dec": t["b_dec"]}


def sparsify_cfg(**more: Any) -> dict[str, Any]:
    return {"activation": "topk", "k": K, "num_latents": D_SAE, "expansion_factor": 32, "d_in": D_IN, **more}


def openai_state(t: Tensors) -> dict[str, Any]:
    state = {"pre_bias": t["b_dec"], "latent_bias": t["b_enc"], "encoder.weight": t["W_enc"].T.contiguous()}
    counts = {"stats_last_nonzero": torch.zeros(D_SAE, dtype=torch.long), "latents_mean_square": torch.ones(D_SAE)}
    words = {"activation": "ReLU", "activation_state_dict": {}}
    return state | {"decoder.weight": t["W_dec"].T.contiguous()} | counts | words
