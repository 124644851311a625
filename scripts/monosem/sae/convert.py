"""Sparse autoencoders of other libraries as ours, and ours as theirs.

In between is what SAELens 6 calls an inference configuration (cfg.json as a dict) and its tensors by name, acting
on raw activations, with b_dec subtracted before encoding. What a format says in another way is folded into the weights.

    SAELens              of any version
    dictionary_learning  its ae.pt is a pickle, as they want it: only tensors are written, only tensors read
    sparsify             read only
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.sae import formats
from scripts.monosem.sae.model import TENSORS, Sae, load_sae
from scripts.monosem.sae.saelens import SAE_LENS_VERSION, save_sae

FORMATS = ("saelens", "dictionary_learning")  # that can be written
Tensors = dict[str, Tensor]
Configured = tuple[dict[str, Any], Tensors]

# dictionary_learning: class -> (our architecture, their name -> ours; names of matrices that they store transposed)
_CLASSES = {
    "AutoEncoder": (
        "standard",
        {"encoder.weight": "W_enc", "encoder.bias": "b_enc", "decoder.weight": "W_dec", "bias": "b_dec"},
    ),
    "AutoEncoderTopK": (
        "topk",
        {"encoder.weight": "W_enc", "encoder.bias": "b_enc", "decoder.weight": "W_dec", "b_dec": "b_dec"},
    ),
    "JumpReluAutoEncoder": (
        "jumprelu",
        {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")},
    ),
    "GatedAutoEncoder": (
        "gated",
        {
            "encoder.weight": "W_enc",
            "gate_bias": "b_gate",
            "decoder.weight": "W_dec",
            "decoder_bias": "b_dec",
            "r_mag": "r_mag",
            "mag_bias": "b_mag",
        },
    ),
}
_READ_AS_JUMPRELU = {"BatchTopKSAE": "AutoEncoderTopK", "MatryoshkaBatchTopKSAE": "JumpReluAutoEncoder"}


def read(folder: str | Path, norm_scaling_factor: float | None = None) -> Configured:
    """Configuration and tensors of an autoencoder in any of the three formats, recognised by its files.

    Args: norm_scaling_factor: what SAELens multiplied the activations by where cfg.json says
        `normalize_activations: expected_average_only_in`; the release names it, not the folder.
    Raises: ArtefactError naming file and reason for what these equations cannot express.
    """
    folder = Path(folder)
    form = formats.format_of(folder)
    if form is None:
        raise artefacts.ArtefactError(f"{folder} holds no autoencoder: expected {formats.NEEDED}")
    readers = {"SAELens": _read_saelens, "dictionary_learning": _read_dictionary_learning, "sparsify": _read_sparsify}
    cfg, tensors = readers[form](folder, folder / formats.FILES[form][1])
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    if cfg["normalize_activations"] != "none":
        if norm_scaling_factor is None:
            raise artefacts.ArtefactError(
                f"{folder / 'cfg.json'}: normalize_activations is '{cfg['normalize_activations']}'; weights for raw "
                "activations need the norm_scaling_factor of the release: state it, or fold it in with SAELens"
            )
        cfg, tensors = cfg | {"normalize_activations": "none"}, unscaled(tensors, norm_scaling_factor)
    return cfg, tensors


def load(folder: str | Path, device: str = "cpu") -> Sae:
    """An autoencoder in any of the three formats, ready for encode and decode."""
    cfg, tensors = read(folder)
    with tempfile.TemporaryDirectory() as temporary:  # the one loader checks everything once more
        write(cfg, tensors, temporary, "saelens")
        return load_sae(temporary, device=device)


def write(cfg: dict[str, Any], tensors: Tensors, folder: str | Path, form: str) -> None:
    """Write an autoencoder that `read` returned, or that training made, in one of FORMATS."""
    folder = Path(folder)
    if form == "saelens":
        save_sae(tensors, cfg, folder / "sae_weights.safetensors", folder / "cfg.json")
    elif form == "dictionary_learning":
        config, state = as_dictionary_learning(cfg, tensors)
        with artefacts.atomic_path(folder / "ae.pt") as temporary:
            torch.save(state, temporary)
        artefacts.write_json(config, folder / "config.json")
    else:
        raise ValueError(f"format '{form}' is none of {', '.join(FORMATS)}")


def as_dictionary_learning(cfg: dict[str, Any], tensors: Tensors) -> tuple[dict[str, Any], Tensors]:
    """Their config.json and state dict."""
    names = {architecture: (name, keys) for name, (architecture, keys) in _CLASSES.items()}
    dict_class, keys = names[cfg["architecture"]]
    tensors = dict(tensors)
    if dict_class == "JumpReluAutoEncoder":  # theirs adds b_dec at the end but doesn't subtract it at the start
        tensors["b_enc"] = tensors["b_enc"] - tensors["b_dec"] @ tensors["W_enc"]
    state = {
        theirs: (tensors[ours].t() if theirs.endswith(".weight") else tensors[ours]).contiguous()
        for theirs, ours in keys.items()
    }
    metadata = cfg.get("metadata", {})
    hook = metadata.get("hook_name") or ""
    layer = re.search(r"blocks\.(\d+)\.", hook)
    trainer = {
        "dict_class": dict_class,
        "trainer_class": None,
        "activation_dim": cfg["d_in"],
        "dict_size": cfg["d_sae"],
        "device": "cpu",
        "layer": int(layer[1]) if layer else None,
        "lm_name": metadata.get("model_name"),
        "submodule_name": hook or None,
        "seed": metadata.get("seed"),
    }
    if dict_class == "AutoEncoderTopK":
        trainer["k"] = cfg["k"]
        state |= {"k": torch.tensor(cfg["k"], dtype=torch.int), "threshold": torch.tensor(-1.0)}
    buffer = {"d_submodule": cfg["d_in"], "io": "out", "ctx_len": metadata.get("context_size")}
    return {"trainer": trainer, "buffer": buffer}, state


def _cfg(architecture: str, tensors: Tensors, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    d_in, d_sae = tensors["W_enc"].shape
    return {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **more,
        "metadata": {"sae_lens_version": SAE_LENS_VERSION, **metadata},
    }


def _read_saelens(folder: Path, path: Path) -> Configured:
    cfg, tensors = (
        formats.modern(artefacts.read_json(folder / "cfg.json"), folder / "cfg.json"),
        dict(artefacts.load_tensors(path)),
    )
    if (scaling := tensors.pop("scaling_factor", None)) is not None and not bool((scaling == 1).all()):
        raise artefacts.ArtefactError(
            f"{path}: scaling_factor is not 1; only weights without fine-tuned scales can be read"
        )
    if cfg["architecture"] == "topk" and cfg.get("rescale_acts_by_decoder_norm", False):
        norm = torch.linalg.vector_norm(tensors["W_dec"], dim=1)  # they choose by f·‖decoder row‖: scale rows to 1
        tensors["W_enc"], tensors["b_enc"] = tensors["W_enc"] * norm, tensors["b_enc"] * norm
        tensors["W_dec"] = tensors["W_dec"] / norm.unsqueeze(1)
    tensors = {name: tensors[name] for name in TENSORS[cfg["architecture"]] if name in tensors}
    if not cfg.get("apply_b_dec_to_input", True):
        _subtract_b_dec_(tensors)
    more = {"k": cfg["k"], "rescale_acts_by_decoder_norm": False} if cfg["architecture"] == "topk" else {}
    more["normalize_activations"] = cfg["normalize_activations"]
    return _cfg(cfg["architecture"], tensors, cfg["metadata"], **more), tensors


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
    made = tensors | {"W_enc": encoder}
    _shift_(made, tensors["b_dec"] @ (encoder - tensors["W_enc"]))
    return made


def _subtract_b_dec_(tensors: Tensors) -> None:
    """An encoder of x as an encoder of x − b_dec, in place."""
    _shift_(tensors, tensors["b_dec"] @ tensors["W_enc"])


def _shift_(tensors: Tensors, shift: Tensor) -> None:
    """Add to what the encoder's product gives, in place."""
    for bias in ("b_enc", "b_gate"):
        if bias in tensors:
            tensors[bias] = tensors[bias] + shift
    if "b_mag" in tensors:
        tensors["b_mag"] = tensors["b_mag"] + tensors["r_mag"].exp() * shift


def _read_dictionary_learning(folder: Path, path: Path) -> Configured:
    trainer = artefacts.read_json(folder / "config.json")["trainer"]
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a foreign pickle provokes
        raise artefacts.ArtefactError(
            f"{path} is no plain dict of tensors, or cut short: {str(error).splitlines()[0]}"
        ) from None
    dict_class = trainer["dict_class"]
    architecture, keys = _CLASSES.get(_READ_AS_JUMPRELU.get(dict_class, dict_class), (None, {}))
    if architecture is None:
        known = ", ".join([*_CLASSES, *_READ_AS_JUMPRELU])
        raise artefacts.ArtefactError(f"{folder / 'config.json'}: dict_class '{dict_class}' is none of {known}")
    if dict_class in _READ_AS_JUMPRELU:
        architecture = "jumprelu"
        if state["threshold"] < 0:
            raise artefacts.ArtefactError(
                f"{path}: the threshold was never estimated (it is {float(state['threshold']):g})"
            )
        state["threshold"] = state["threshold"].expand(len(state[next(k for k in keys if keys[k] == "b_enc")])).clone()
        keys = {**keys, "threshold": "threshold"}
    if missing := sorted(set(keys) - set(state)):
        raise artefacts.ArtefactError(f"{path}: '{missing[0]}' is missing, {dict_class} has it")
    tensors = {
        ours: state[theirs].t() if theirs.endswith(".weight") else state[theirs] for theirs, ours in keys.items()
    }
    if dict_class == "JumpReluAutoEncoder":
        _subtract_b_dec_(tensors)
    metadata = {"model_name": trainer.get("lm_name"), "hook_name": trainer.get("submodule_name")}
    more = {"k": int(state["k"]), "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}
    return _cfg(architecture, tensors, metadata, **more), tensors


def _read_sparsify(folder: Path, path: Path) -> Configured:
    cfg, stored = artefacts.read_json(folder / "cfg.json"), artefacts.load_tensors(path)
    for key, plain in (("activation", "topk"), ("skip_connection", False), ("transcode", False)):
        if cfg.get(key, plain) != plain:
            raise artefacts.ArtefactError(
                f"{folder / 'cfg.json'}: {key} is {cfg[key]!r}; only TopK autoencoders can be read"
            )
    tensors = {
        "W_enc": stored["encoder.weight"].t(),
        "b_enc": stored["encoder.bias"],
        "W_dec": stored["W_dec"],
        "b_dec": stored["b_dec"],
    }
    metadata = {"model_name": None, "hook_name": folder.name}
    return _cfg("topk", tensors, metadata, k=cfg["k"], rescale_acts_by_decoder_norm=False), tensors
