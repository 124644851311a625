"""Sparse autoencoders of other libraries as ours.

What is returned is what SAELens 6 calls an inference configuration (cfg.json as a dict) and its tensors by name, acting
on raw activations, with b_dec subtracted before encoding. What a format says in another way is folded into the weights,
in float32 or float64 whatever the file stores.

    SAELens              of any version
    dictionary_learning  its ae.pt is a pickle: only tensors are read
    sparsify             TopK autoencoders
    OpenAI               one file, a pickle likewise; ReLU
"""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae import formats, layouts
from scripts.monosem.sae.formats import DeclaredSae
from scripts.monosem.sae.saelens import inference_cfg

Tensors = dict[str, Tensor]
Configured = tuple[dict[str, Any], Tensors]
_DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def read(place: str | Path, norm_scaling_factor: float | None = None) -> Configured:
    """Configuration and tensors (float32) of an autoencoder in any known format, recognised by its files.

    Args:
        place: a folder; of OpenAI the file.
        norm_scaling_factor: what SAELens multiplied the activations by where cfg.json says
            `normalize_activations: expected_average_only_in`; the release names it, not the folder.
    Raises: ArtefactError naming file and reason for what these equations cannot express, and for what is not known.
    """
    place = Path(place)
    declared, stored = _openai(place) if place.is_file() else _of_folder(place)
    layout, metadata = declared.layout, dict(declared.metadata)
    tensors = {ours: _as_ours(stored[theirs], theirs, declared) for theirs, ours in layout.names.items()}
    if "threshold" in tensors:
        tensors["threshold"] = tensors["threshold"].clamp_min(0)  # theirs is relu(z) where z > threshold
    if declared.by_decoder_norm:  # latents are chosen by f·‖decoder row‖: scale rows to 1
        norm = torch.linalg.vector_norm(tensors["W_dec"], dim=1)
        tensors["W_enc"], tensors["b_enc"] = tensors["W_enc"] * norm, tensors["b_enc"] * norm
        tensors["W_dec"] = tensors["W_dec"] / norm.clamp_min(1e-12).unsqueeze(1)
    if not layout.subtracts_b_dec:
        tensors = shifted(tensors, product(tensors["b_dec"], tensors["W_enc"]))
    if declared.normalisation != "none":
        if norm_scaling_factor is None:
            raise ArtefactError(
                f"{declared.path}: normalize_activations is '{declared.normalisation}'; weights for raw "
                "activations need the norm_scaling_factor of the release: state it, or fold it in with SAELens"
            )
        tensors = unscaled(tensors, norm_scaling_factor)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ArtefactError(f"{declared.weights}: {name} is NaN or beyond float32 with its conventions folded in")
    return inference_cfg(layout.architecture, declared.d_in, declared.d_sae, metadata, declared.k), tensors


def _as_ours(tensor: Tensor, name: str, declared: DeclaredSae) -> Tensor:
    """A tensor in our orientation and in float32, which holds every number of the narrower dtypes."""
    tensor = tensor.to(torch.float32)
    if layouts.is_transposed(name):
        tensor = tensor.t()
    if name == "log_threshold":
        tensor = tensor.exp()
    if not tensor.dim():  # one threshold for all latents
        tensor = tensor.expand(declared.d_sae)
    return tensor.contiguous()


def _of_folder(folder: Path) -> tuple[DeclaredSae, Tensors]:
    declared = formats.read(folder)
    if declared.format == "dictionary_learning":
        return _pickled(declared, _unpickled(declared.weights))
    stored = artefacts.load_tensors(declared.weights)
    if (scaling := stored.get("scaling_factor")) is not None and not bool((scaling == 1).all()):
        raise ArtefactError(
            f"{declared.weights}: scaling_factor is not 1; only weights without fine-tuned scales can be read"
        )
    return declared, stored


def _unpickled(path: Path) -> dict[str, Any]:
    """The dict that torch.save wrote: tensors, numbers and text only."""
    try:
        if zipfile.is_zipfile(path) and (changed := zipfile.ZipFile(path).testzip()):
            raise ValueError(f"checksum of {changed}")  # torch does not compare it
        state = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state.items())
    except Exception as error:  # whatever a foreign pickle provokes
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ArtefactError(f"{path} is no plain dict of tensors, or cut short or changed: {reason}") from None


def _require(declared: DeclaredSae, state: Mapping[str, Any]) -> None:
    """Raises: ArtefactError for what is no tensor, and like layouts.require."""
    if others := [key for key, value in state.items() if not isinstance(value, Tensor)]:
        raise ArtefactError(f"{declared.weights}: '{others[0]}' is no tensor, and may change what the others mean")
    stored = {str(k): (_DTYPES.get(v.dtype, str(v.dtype)), tuple(v.shape)) for k, v in state.items()}
    layouts.require(declared.layout, stored, declared.d_in, declared.d_sae, declared.weights, declared.path)


def _pickled(declared: DeclaredSae, state: dict[str, Any]) -> tuple[DeclaredSae, Tensors]:
    """An ae.pt of dictionary_learning, with k from the file or from config.json."""
    _require(declared, state)
    if declared.layout.one_threshold and state["threshold"] < 0:
        raise ArtefactError(
            f"{declared.weights}: the threshold was never estimated (it is {float(state['threshold']):g})"
        )
    if declared.layout.architecture != "topk":
        return declared, state
    ks = [declared.k] if declared.k is not None else []
    if "k" in state:
        if state["k"].numel() != 1 or not float(state["k"]).is_integer():
            raise ArtefactError(f"{declared.weights}: k is {state['k'].tolist()}, expected a whole number")
        ks.append(int(state["k"]))
    return replace(declared, k=formats.one_k(ks, declared.d_sae, declared.weights)), state


def _openai(path: Path) -> tuple[DeclaredSae, Tensors]:
    """A file of OpenAI's release. Model and place are in the address it came from, not in the file."""
    state = _unpickled(path)
    activation = state.pop("activation", "ReLU")
    if activation != "ReLU" or state.pop("activation_state_dict", None):
        raise ArtefactError(
            f"{path}: activation is {activation!r}; only ReLU without parameters can be read (TopK there normalises "
            "each vector, which cannot be folded into the weights)"
        )
    weight = state.get("encoder.weight")
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        raise ArtefactError(f"{path} is no autoencoder of OpenAI: it has no matrix 'encoder.weight'")
    d_sae, d_in = weight.shape
    declared = DeclaredSae(path, path, "OpenAI", layouts.OPENAI, d_in, d_sae, None, None)
    _require(declared, state)
    return declared, state


def unscaled(tensors: Tensors, scale: float) -> Tensors:
    """Weights that were trained on s·x as weights for x: f(x) = f'(s·x)/s, x̂ = x̂'/s (see sae/fold.py)."""
    scaled = ("b_enc", "b_dec", "b_gate", "b_mag", "threshold")
    return {name: tensor / scale if name in scaled else tensor for name, tensor in tensors.items()}


def centring(tensors: Tensors) -> Tensors:
    """Weights that were trained on x − mean(x) as weights for x: the encoder takes the mean over dimensions away.

    TransformerLens makes every vector of the residual stream sum to zero (`center_writing_weights`), which no LayerNorm
    behind it notices. The decoder stays: reconstructions are those of the centred vector.
    """
    encoder = tensors["W_enc"] - tensors["W_enc"].mean(0)
    return shifted(tensors | {"W_enc": encoder}, product(tensors["b_dec"], encoder - tensors["W_enc"]))


def product(b_dec: Tensor, encoder: Tensor) -> Tensor:
    """b_dec W_enc, summed in float64: it is often far larger than what remains of it in a pre-activation."""
    return (b_dec.double() @ encoder.double()).to(encoder.dtype)


def shifted(tensors: Tensors, shift: Tensor) -> Tensors:
    """The tensors with a shift added to what the encoder's product gives."""
    made = dict(tensors)
    for bias in ("b_enc", "b_gate"):
        if bias in made:
            made[bias] = made[bias] + shift
    if "b_mag" in made:
        made["b_mag"] = made["b_mag"] + made["r_mag"].exp() * shift
    return made
