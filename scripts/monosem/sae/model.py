"""Sparse autoencoders at work: encode, decode, and a loader that refuses what cannot be right.

    z = (x − b_dec) W_enc + b_enc,   f = act(z),   x̂ = f W_dec + b_dec

    standard   act = relu
    topk       relu of the k largest
    jumprelu   z where z > threshold, else 0                 (also BatchTopK and Matryoshka at inference)
    gated      relu(exp(r_mag) (z − b_gate) + b_mag) where z > 0, else 0;  b_gate in the place of b_enc

Weights have the SAELens layout and act on raw activations. No latent is active on a vector longer than the norm limit,
above which no token was trained on.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.sae.kernels import select, sparse
from scripts.monosem.sae.kernels.sparse import Codes
from scripts.monosem.sae.layouts import TENSORS


@dataclass(frozen=True)
class Sae:
    """One trained sparse autoencoder."""

    cfg: dict[str, Any]
    """SAELens 6 inference configuration, with `metadata`."""
    W_enc: Float[Tensor, "d_in d_sae"]
    b_enc: Float[Tensor, " d_sae"]
    """gated: b_gate."""
    W_dec: Float[Tensor, "d_sae d_in"]
    """A dictionary element is a row, of unit length."""
    b_dec: Float[Tensor, " d_in"]
    k: int | None = None
    """topk: latents kept per vector."""
    threshold: Float[Tensor, " d_sae"] | None = None
    """jumprelu."""
    r_mag: Float[Tensor, " d_sae"] | None = None
    """gated."""
    b_mag: Float[Tensor, " d_sae"] | None = None
    """gated."""
    norm_limit: float = math.inf
    """Tokens of a larger norm were left out of training, and have no active latent."""

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
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})


def from_tensors(cfg: dict[str, Any], tensors: dict[str, Tensor]) -> Sae:
    """An SAE from its configuration and tensors under SAELens' names."""
    named = {"b_enc" if name == "b_gate" else name: tensor for name, tensor in tensors.items()}
    k = cfg.get("k") if cfg.get("architecture") == "topk" else None
    return Sae(cfg, k=k, **named, norm_limit=cfg.get("metadata", {}).get("norm_limit") or math.inf)


def reads(sae: Sae, x: Float[Tensor, "*rows d_in"]) -> Bool[Tensor, "*rows"]:
    """False for each vector above the norm limit."""
    lengths = torch.linalg.vector_norm(x, dim=-1, dtype=torch.promote_types(x.dtype, torch.float32))
    return ~(lengths > sae.norm_limit)  # NaN is read, and stays NaN


def silenced(sae: Sae, x: Float[Tensor, "*rows d_in"]) -> Float[Tensor, "*rows d_in"]:
    """The vectors, zeros for those above the norm limit: neurons are silent where latents are."""
    read = reads(sae, x)
    return x if bool(read.all()) else x.masked_fill(~read[..., None], 0)


def pre_activations(sae: Sae, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
    """z = (x − b_dec) W_enc + b_enc."""
    return torch.addmm(sae.b_enc, x - sae.b_dec, sae.W_enc)


def _bound(sae: Sae) -> float | Float[Tensor, " d_sae"]:
    """Bound that z must exceed for a latent to be active; not for topk."""
    return 0.0 if sae.threshold is None else sae.threshold


def encode(sae: Sae, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
    """All latents of every vector, dense; 0 on vectors above the norm limit."""
    z = pre_activations(sae, x)
    if sae.k is not None:
        values, latents = select.topk(z, sae.k)
        f = z.zero_().scatter_(1, latents, values)
    elif sae.r_mag is not None:
        f = torch.relu((z - sae.b_enc) * sae.r_mag.exp() + sae.b_mag) * (z > 0)
    else:
        f = z.relu_() if sae.threshold is None else z * (z > sae.threshold)
    return f.masked_fill_(~reads(sae, x)[:, None], 0)


def encode_active(sae: Sae, x: Float[Tensor, "n d_in"]) -> Codes:
    """The active latents of every vector, sparse; the dense z [n, d_sae] lives only within this call.

    A topk SAE has k entries per vector, 0 where fewer are positive; a gated one an entry wherever the gate is open.
    On vectors above the norm limit all entries are 0.
    """
    codes = _active(sae, x)
    read = reads(sae, x)
    if bool(read.all()):
        return codes
    return replace(codes, values=codes.values * read.repeat_interleave(codes.offsets.diff()))


def _active(sae: Sae, x: Float[Tensor, "n d_in"]) -> Codes:
    z = pre_activations(sae, x)
    if sae.k is not None:
        return select.topk_codes(z, sae.k)
    codes = select.codes_above(z, _bound(sae))
    if sae.r_mag is None:
        return codes
    latents = codes.latents
    values = (codes.values - sae.b_enc[latents]) * sae.r_mag.exp()[latents] + sae.b_mag[latents]
    return replace(codes, values=values.relu_())


def decode(sae: Sae, f: Float[Tensor, "n d_sae"]) -> Float[Tensor, "n d_in"]:
    """f W_dec + b_dec."""
    return torch.addmm(sae.b_dec, f, sae.W_dec)


def decode_active(sae: Sae, codes: Codes) -> Float[Tensor, "n d_in"]:
    """The same from sparse codes."""
    return sparse.decode(codes, sae.W_dec) + sae.b_dec


def concatenate(parts: list[Codes]) -> Codes:
    """Codes of several batches as those of one."""
    offsets, done = [torch.zeros_like(parts[0].offsets[:1])], 0
    for codes in parts:
        offsets.append(codes.offsets[1:] + done)
        done += len(codes.values)
    return Codes(
        torch.cat([codes.values for codes in parts]), torch.cat([codes.latents for codes in parts]), torch.cat(offsets)
    )


def load_sae(
    folder: str | Path, expect_model_sha: str | None = None, expect_d_in: int | None = None, device: str = "cpu"
) -> Sae:
    """Open a folder with cfg.json and sae_weights.safetensors.

    Args: expect_model_sha: sha256 of the model.safetensors that the SAE must have been trained on; expect_d_in: the
    width of the activations that it will see.

    Raises: ArtefactError naming the file when a tensor is missing, has another shape than cfg.json says, holds NaN,
    or when the SAE belongs to another model or width.
    """
    folder = Path(folder)
    cfg_path, weights_path = folder / "cfg.json", folder / "sae_weights.safetensors"
    cfg, tensors = artefacts.read_json(cfg_path), artefacts.load_tensors(weights_path)
    again = artefacts.remedy(cfg_path)
    missing = [key for key in ("architecture", "d_in", "d_sae") if key not in cfg]
    if missing:
        raise artefacts.ArtefactError(f"{cfg_path}: '{missing[0]}' is missing, so it is no SAE configuration; {again}")
    if cfg["architecture"] not in TENSORS:
        known = ", ".join(TENSORS)
        raise artefacts.ArtefactError(f"{cfg_path}: architecture '{cfg['architecture']}' is not known here ({known})")
    d_in, d_sae = cfg["d_in"], cfg["d_sae"]
    known_shapes = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    shapes = {name: known_shapes.get(name, (d_sae,)) for name in TENSORS[cfg["architecture"]]}
    for name, shape in shapes.items():
        stored = tuple(tensors[name].shape) if name in tensors else None
        if stored != shape:
            what = "is missing" if stored is None else f"has shape {list(stored)}"
            raise artefacts.ArtefactError(f"{weights_path}: {name} {what}, cfg.json says {list(shape)}; {again}")
    k = cfg.get("k") if cfg["architecture"] == "topk" else None
    if cfg["architecture"] == "topk" and not (isinstance(k, int) and 1 <= k <= d_sae):
        raise artefacts.ArtefactError(f"{cfg_path}: k is {k}, a topk SAE needs 1 to {d_sae}; {again}")
    metadata = cfg.get("metadata", {})
    limit = metadata.get("norm_limit")
    if limit is not None and not (isinstance(limit, (int, float)) and limit > 0):
        raise artefacts.ArtefactError(
            f"{cfg_path}: metadata.norm_limit is {limit!r}, expected a number above 0 or null; {again}"
        )
    if expect_d_in is not None and d_in != expect_d_in:
        raise artefacts.ArtefactError(
            f"{cfg_path}: this SAE reads vectors of width {d_in}, the activations have {expect_d_in}"
        )
    if expect_model_sha is not None and metadata.get("model_sha256") != expect_model_sha:
        trained_on = f"{metadata.get('model_name')} (sha256 {str(metadata.get('model_sha256'))[:12]})"
        raise artefacts.ArtefactError(
            f"{cfg_path}: this SAE was trained on model {trained_on}, not on the one given "
            f"(sha256 {expect_model_sha[:12]}); give its own model, or {again}"
        )
    return from_tensors(cfg, {name: tensors[name].float().to(device) for name in shapes})


def open_sae(folder: Path, hook_name: str, d_in: int, device: str, model_sha256: str | None = None) -> Sae:
    """Load the SAE of one site.

    Raises: ArtefactError if it was trained on another site, width or (if given) model.
    """
    sae = load_sae(folder, model_sha256, device=device)
    hook = sae.cfg.get("metadata", {}).get("hook_name")
    if hook != hook_name or sae.d_in != d_in:
        raise artefacts.ArtefactError(
            f"{folder / 'cfg.json'}: the SAE is for '{hook}' with {sae.d_in} dimensions, this site is "
            f"'{hook_name}' with {d_in}; give the SAE of this site"
        )
    return sae


def random_decoder(d_sae: int, d_in: int, seed: int) -> Float[Tensor, "d_sae d_in"]:
    """Random unit rows: the decoder of a dictionary that was never trained."""
    rows = torch.randn(d_sae, d_in, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


def untrained(centre: Float[Tensor, " d_in"], d_sae: int, k: int, seed: int, norm_limit: float) -> Sae:
    """A TopK autoencoder that was never trained: random unit rows about a mean, encoder the decoder's transpose.

    It has no active latent on vectors above the norm limit, like those that it is compared with.
    """
    decoder = random_decoder(d_sae, len(centre), seed).to(centre.device)
    tensors = {"W_enc": decoder.T.contiguous(), "b_enc": decoder.new_zeros(d_sae), "W_dec": decoder, "b_dec": centre}
    return replace(from_tensors({"architecture": "topk", "k": k}, tensors), norm_limit=norm_limit)
