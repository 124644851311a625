"""Sparse autoencoders at work: encode, decode, and a loader that refuses what cannot be right.

    f = act((x − b_dec) W_enc + b_enc),   x̂ = f W_dec + b_dec,   act = relu, or relu of the k largest (topk)

Weights have the SAELens layout and act on raw activations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem import io
from scripts.monosem.sae import kernels

ARCHITECTURES = ("standard", "topk")  # as SAELens names them: standard is ReLU


@dataclass(frozen=True)
class Sae:
    """One trained sparse autoencoder."""

    cfg: dict[str, Any]  # SAELens 6 inference configuration, with `metadata`
    W_enc: Float[Tensor, "d_in d_sae"]
    b_enc: Float[Tensor, " d_sae"]
    W_dec: Float[Tensor, "d_sae d_in"]  # a dictionary element is a row, of unit length
    b_dec: Float[Tensor, " d_in"]
    k: int | None = None  # topk: latents kept per vector

    @property
    def d_in(self) -> int:
        """Width of the activations."""
        return self.W_dec.shape[1]

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return self.W_dec.shape[0]

    def to(self, device: str) -> "Sae":
        """The same SAE on another device."""
        return Sae(self.cfg, *(t.to(device) for t in (self.W_enc, self.b_enc, self.W_dec, self.b_dec)), self.k)


def pre_activations(sae: Sae, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
    """(x − b_dec) W_enc + b_enc."""
    return torch.addmm(sae.b_enc, x - sae.b_dec, sae.W_enc)


def encode(sae: Sae, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
    """All latents of every vector, dense."""
    pre = pre_activations(sae, x)
    if sae.k is None:
        return pre.relu_()
    values, latents = kernels.topk(pre, sae.k)
    return pre.zero_().scatter_(1, latents, values)


def encode_active(sae: Sae, x: Float[Tensor, "n d_in"]) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k largest latents of every vector (0 where fewer are positive) and their indices, in no particular order.

    Raises: ValueError for an SAE without a k.
    """
    if sae.k is None:
        raise ValueError(
            "encode_active needs a topk SAE; a standard one has no fixed number of active latents: use encode"
        )
    return kernels.topk(pre_activations(sae, x), sae.k)


def decode(sae: Sae, f: Float[Tensor, "n d_sae"]) -> Float[Tensor, "n d_in"]:
    """f W_dec + b_dec."""
    return torch.addmm(sae.b_dec, f, sae.W_dec)


def decode_active(sae: Sae, values: Float[Tensor, "n k"], latents: Int[Tensor, "n k"]) -> Float[Tensor, "n d_in"]:
    """The reconstruction from what `encode_active` returns."""
    n, k = values.shape
    offsets = torch.arange(0, n * k + 1, k, device=values.device)
    return kernels.decode(kernels.Codes(values.reshape(-1), latents.reshape(-1), offsets), sae.W_dec) + sae.b_dec


def load_sae(
    folder: str | Path, expect_model_sha: str | None = None, expect_d_in: int | None = None, device: str = "cpu"
) -> Sae:
    """Open a folder with cfg.json and sae_weights.safetensors.

    Args: expect_model_sha: sha256 of the model.safetensors that the SAE must have been trained on; expect_d_in: the
    width of the activations that it will see.

    Raises: io.ArtefactError naming the file when a tensor is missing, has another shape than cfg.json says, holds NaN,
    or when the SAE belongs to another model or width.
    """
    folder = Path(folder)
    cfg_path, weights_path = folder / "cfg.json", folder / "sae_weights.safetensors"
    cfg, tensors = io.read_json(cfg_path), io.load_tensors(weights_path)
    again = "delete the folder and run again"
    missing = [key for key in ("architecture", "d_in", "d_sae") if key not in cfg]
    if missing:
        raise io.ArtefactError(f"{cfg_path}: '{missing[0]}' is missing, so it is no SAE configuration; {again}")
    if cfg["architecture"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise io.ArtefactError(f"{cfg_path}: architecture '{cfg['architecture']}' is not known here ({known})")
    d_in, d_sae = cfg["d_in"], cfg["d_sae"]
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != shape:
            what = "is missing" if found is None else f"has shape {list(found)}"
            raise io.ArtefactError(f"{weights_path}: {name} {what}, cfg.json says {list(shape)}; {again}")
    k = cfg.get("k") if cfg["architecture"] == "topk" else None
    if cfg["architecture"] == "topk" and not (isinstance(k, int) and 1 <= k <= d_sae):
        raise io.ArtefactError(f"{cfg_path}: k is {k}, a topk SAE needs 1 to {d_sae}; {again}")
    metadata = cfg.get("metadata", {})
    if expect_d_in is not None and d_in != expect_d_in:
        raise io.ArtefactError(
            f"{cfg_path}: this SAE reads vectors of width {d_in}, the activations have {expect_d_in}"
        )
    if expect_model_sha is not None and metadata.get("model_sha256") != expect_model_sha:
        own = f"{metadata.get('model_name')} (sha256 {str(metadata.get('model_sha256'))[:12]})"
        raise io.ArtefactError(
            f"{cfg_path}: this SAE was trained on model {own}, not on the one given (sha256 {expect_model_sha[:12]}); "
            "train it again or give its own model"
        )
    return Sae(cfg, *(tensors[name].float().to(device) for name in shapes), k)
