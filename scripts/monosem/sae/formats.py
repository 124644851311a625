"""The configuration of a folder with an autoencoder, compared with the names and shapes of its tensors.

Read while the workflow is parsed, so it imports no torch. Three formats are recognised by their files:

    SAELens              cfg.json, sae_weights.safetensors
    dictionary_learning  config.json, ae.pt
    sparsify             cfg.json, sae.safetensors
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scripts.monosem.core import hub_cache
from scripts.monosem.core.artefacts import ArtefactError, read_json, safetensors_header
from scripts.monosem.sae import known_keys, layouts
from scripts.monosem.sae.layouts import Layout

FILES = {  # format -> configuration, weights
    "SAELens": ("cfg.json", "sae_weights.safetensors"),
    "dictionary_learning": ("config.json", "ae.pt"),
    "sparsify": ("cfg.json", "sae.safetensors"),
}
NEEDED = "; or ".join(f"{cfg} and {weights} ({name})" for name, (cfg, weights) in FILES.items())
LEGACY = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index", "activation_fn_str": "activation_fn"}
SAME_MODEL = {"gpt2-small": "gpt2"}  # TransformerLens' names that are not the last part of the hub's
_SUBMODULE = re.compile(r"(resid_post|resid_out|mlp_out|attn_out)_layer_?(\d+)")  # of dictionary_learning's scripts


@dataclass(frozen=True)
class DeclaredSae:
    """An autoencoder by its configuration file."""

    path: Path
    """The configuration file."""
    weights: Path
    """The file with the tensors."""
    format: str
    """A key of FILES."""
    layout: Layout
    """Architecture, and the tensors that it has in this format."""
    d_in: int
    """Width of the activations."""
    d_sae: int
    """Number of latents."""
    model: str | None
    """Name of the model that it was trained on; None where the file does not declare it."""
    hook: str | None
    """Where it reads that model; None likewise."""
    k: int | None = None
    """topk: latents kept per vector."""
    by_decoder_norm: bool = False
    """topk: latents are chosen by their activation times the length of their decoder row."""
    normalisation: str = "none"
    """Of the activations before the encoder, under SAELens' names."""
    centred: bool = False
    """True if the model writes a residual stream of mean zero (TransformerLens' processing)."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Further description, under SAELens' names."""


def format_of(folder: Path) -> str | None:
    """The format of a folder; None if it holds no autoencoder."""
    return next((name for name, files in FILES.items() if all((folder / file).is_file() for file in files)), None)


def find(name: str, subfolder: str | None = None, revision: str | None = None) -> Path | None:
    """The folder of an autoencoder that is on this machine: below a path, or below a snapshot in the hub cache."""
    places = [Path(name).expanduser(), *hub_cache.snapshots(name, revision)]
    return next((place / (subfolder or "") for place in places if format_of(place / (subfolder or ""))), None)


def read(folder: Path) -> DeclaredSae:
    """The declaration of a folder; the tensors of a safetensors file agree with it.

    Raises: ArtefactError naming the file for a key or tensor that is missing, contradicts another, cannot be expressed
        by the equations here, or is not known.
    """
    name = format_of(folder)
    if name is None:
        raise ArtefactError(f"{folder} holds no autoencoder: expected {NEEDED}")
    path, weights = (folder / file for file in FILES[name])
    cfg = _mapping(read_json(path), path, "the file")
    if name == "dictionary_learning":
        return _dictionary_learning(cfg, path, weights)
    stored = {key: (entry["dtype"], tuple(entry["shape"])) for key, entry in safetensors_header(weights).items()}
    declared = _saelens(cfg, path, weights, stored) if name == "SAELens" else _sparsify(cfg, path, weights)
    layouts.require(declared.layout, stored, declared.d_in, declared.d_sae, weights, path)
    return declared


def _mapping(value: Any, path: Path, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArtefactError(f"{path}: {what} is no mapping, so it is no configuration of an autoencoder")
    return value


def _count(cfg: Mapping[str, Any], key: str, path: Path, most: int | None = None) -> int:
    """A whole number from 1."""
    if key not in cfg:
        raise ArtefactError(f"{path}: '{key}' is missing, so it is no configuration of an autoencoder")
    value = cfg[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or (most is not None and value > most):
        raise ArtefactError(
            f"{path}: {key} is {value!r}, expected a whole number from 1{f' to {most}' if most else ''}"
        )
    return value


def _choice(cfg: Mapping[str, Any], key: str, path: Path, among: tuple[Any, ...]) -> Any:
    """One of the values, the first if the key is missing or null."""
    value = cfg.get(key)
    value = among[0] if value is None else value
    if not any(value is each or (isinstance(each, str) and value == each) for each in among):
        raise ArtefactError(f"{path}: {key} is {value!r}; only {' or '.join(repr(each) for each in among)} can be read")
    return value


def _name(cfg: Mapping[str, Any], key: str, path: Path) -> str | None:
    if not isinstance(value := cfg.get(key), str | None):
        raise ArtefactError(f"{path}: {key} is {value!r}, expected a name")
    return value


def one_k(declared: list[Any], d_sae: int, path: Path) -> int:
    """The one k of a topk autoencoder, which is declared in one place or two."""
    if not declared or declared[0] != declared[-1]:
        what = f"is {declared[0]!r} in one place and {declared[-1]!r} in another" if declared else "is missing"
        raise ArtefactError(f"{path}: k {what}; a topk autoencoder has one number of latents per vector")
    return _count({"k": declared[0]}, "k", path, d_sae)


def _saelens(cfg: dict[str, Any], path: Path, weights: Path, stored: Mapping[str, Any]) -> DeclaredSae:
    cfg = dict(cfg)
    for old, new in LEGACY.items():
        if old in cfg:
            value = cfg.pop(old)
            if cfg.setdefault(new, value) != value:
                raise ArtefactError(f"{path}: {old} is {value!r} and {new} is {cfg[new]!r}; both mean the same key")
    known_keys.require(cfg, "SAELens", path)
    if cfg.get("metadata") is not None:
        metadata = _mapping(cfg["metadata"], path, "metadata")
        known_keys.require_spelt(metadata, path)
    else:  # before version 6 everything stood side by side
        keys = ("model_name", "hook_name", "hook_head_index", "context_size", "model_from_pretrained_kwargs")
        metadata = {key: cfg[key] for key in keys if key in cfg}
    d_in, d_sae = (_count(cfg, key, path) for key in ("d_in", "d_sae"))
    activation = _choice(cfg, "activation_fn", path, ("relu", "topk"))
    architecture = cfg.get("architecture", "standard")
    if activation == "topk" and architecture == "standard":
        architecture = "topk"
    if not isinstance(architecture, str) or architecture not in layouts.TENSORS:
        raise ArtefactError(f"{path}: architecture {architecture!r} is none of {', '.join(layouts.TENSORS)}")
    if activation == "topk" != architecture:
        raise ArtefactError(
            f"{path}: activation_fn is 'topk' and architecture is '{architecture}'; one of them is wrong"
        )
    kwargs = _mapping(cfg.get("activation_fn_kwargs") or {}, path, "activation_fn_kwargs")
    if others := sorted(set(kwargs) - {"k"}):
        raise ArtefactError(f"{path}: activation_fn_kwargs.{others[0]} cannot be read; only k can")
    ks = [value for value in (cfg.get("k"), kwargs.get("k")) if value is not None]
    if ks and architecture in ("standard", "gated"):
        raise ArtefactError(
            f"{path}: architecture is '{architecture}' and k is {ks[0]!r}, which only topk has; one of them is wrong"
        )
    for key, plain, where in (
        ("finetuning_scaling_factor", False, cfg), ("reshape_activations", "none", cfg),
        ("hook_head_index", None, metadata), ("hook_name_out", metadata.get("hook_name"), metadata),
    ):  # fmt: skip
        if where.get(key, plain) not in (plain, None):
            raise ArtefactError(f"{path}: {key} is {where[key]!r}; only autoencoders of whole activations can be read")
    normalisation = cfg.get("normalize_activations") or "none"
    normalisation = "expected_average_only_in" if normalisation is True else normalisation
    if normalisation not in ("none", "expected_average_only_in"):
        raise ArtefactError(
            f"{path}: normalize_activations is '{normalisation}', which differs from vector to vector or needs numbers "
            "that are not here; only 'none' and 'expected_average_only_in' can be folded into the weights"
        )
    processing = _mapping(metadata.get("model_from_pretrained_kwargs") or {}, path, "model_from_pretrained_kwargs")
    return DeclaredSae(
        path, weights, "SAELens",
        replace(
            layouts.saelens(architecture, stored),
            subtracts_b_dec=_choice(cfg, "apply_b_dec_to_input", path, (True, False)),
        ),
        d_in, d_sae, _name(metadata, "model_name", path), _name(metadata, "hook_name", path),
        k=one_k(ks, d_sae, path) if architecture == "topk" else None,
        by_decoder_norm=architecture == "topk" and _choice(cfg, "rescale_acts_by_decoder_norm", path, (False, True)),
        normalisation=normalisation,
        centred=_choice(processing, "center_writing_weights", path, (False, True)),
        metadata=metadata,
    )  # fmt: skip


def _dictionary_learning(cfg: dict[str, Any], path: Path, weights: Path) -> DeclaredSae:
    known_keys.require(cfg, "dictionary_learning", path)
    trainer, buffer = _mapping(cfg.get("trainer"), path, "trainer"), _mapping(cfg.get("buffer") or {}, path, "buffer")
    known_keys.require(trainer, "dictionary_learning: trainer", path)
    known_keys.require(buffer, "dictionary_learning: buffer", path)
    dict_class = trainer.get("dict_class")
    if not isinstance(dict_class, str) or dict_class not in layouts.DICTIONARY_LEARNING:
        known = ", ".join(layouts.DICTIONARY_LEARNING)
        raise ArtefactError(f"{path}: dict_class {dict_class!r} is none of {known}")
    layout = layouts.DICTIONARY_LEARNING[dict_class]
    read_at = _choice(buffer, "io", path, ("out", "in"))
    hook, model = _name(trainer, "submodule_name", path), _name(trainer, "lm_name", path)
    if read_at == "out" and (match := _SUBMODULE.fullmatch(hook or "")):
        hook = f"blocks.{int(match[2])}.hook_{match[1].replace('resid_out', 'resid_post')}"
    d_in, d_sae = _count(trainer, "activation_dim", path), _count(trainer, "dict_size", path)
    k = _count(trainer, "k", path, d_sae) if layout.architecture == "topk" and trainer.get("k") is not None else None
    return DeclaredSae(
        path, weights, "dictionary_learning", layout, d_in, d_sae, model, hook, k,
        metadata={"model_name": model, "hook_name": hook},
    )  # fmt: skip


def _sparsify(cfg: dict[str, Any], path: Path, weights: Path) -> DeclaredSae:
    known_keys.require(cfg, "sparsify", path)
    for key, plain in (("activation", "topk"), ("skip_connection", False), ("transcode", False), ("signed", False)):
        _choice(cfg, key, path, (plain,))
    d_in = _count(cfg, "d_in", path)
    d_sae = _count(cfg, "num_latents", path) if cfg.get("num_latents") else d_in * _count(cfg, "expansion_factor", path)
    return DeclaredSae(
        path, weights, "sparsify", layouts.SPARSIFY, d_in, d_sae, None, None, _count(cfg, "k", path, d_sae),
        metadata={"model_name": None, "hook_name": path.parent.name},
    )  # fmt: skip


def same_model(declared: str, names: tuple[str, ...]) -> bool:
    """True if a declared name means one of the given ones: owners, capitals and TransformerLens' short names aside."""

    def bare(name: str) -> str:
        last = name.rstrip("/").rsplit("/", 1)[-1].lower()
        return SAME_MODEL.get(last, last)

    return bare(declared) in {bare(name) for name in names}
