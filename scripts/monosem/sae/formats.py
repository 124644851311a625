"""Metadata of the folder of an autoencoder, read from its configuration file alone.

Read while the workflow is parsed, so it imports no torch. Three formats are recognised by their files:

    SAELens              cfg.json, sae_weights.safetensors
    dictionary_learning  config.json, ae.pt
    sparsify             cfg.json, sae.safetensors
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.monosem.core import hub_cache
from scripts.monosem.core.artefacts import ArtefactError, read_json

FILES = {  # format -> configuration, weights
    "SAELens": ("cfg.json", "sae_weights.safetensors"),
    "dictionary_learning": ("config.json", "ae.pt"),
    "sparsify": ("cfg.json", "sae.safetensors"),
}
NEEDED = "; or ".join(f"{cfg} and {weights} ({name})" for name, (cfg, weights) in FILES.items())
READ = ("standard", "topk", "jumprelu", "gated")  # architectures that model.py has equations for
LEGACY = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index", "activation_fn_str": "activation_fn"}
SAME_MODEL = {"gpt2-small": "gpt2"}  # TransformerLens' names that are not the last part of the hub's


@dataclass(frozen=True)
class DeclaredSae:
    """An autoencoder by its configuration file."""

    path: Path
    """The configuration file."""
    format: str
    """A key of FILES."""
    d_in: int
    """Width of the activations."""
    d_sae: int
    """Number of latents."""
    model: str | None
    """Name of the model that it was trained on; None where the file does not declare it."""
    hook: str | None
    """Where it reads that model; None likewise."""
    normalisation: str = "none"
    """Of the activations before the encoder, under SAELens' names."""
    centred: bool = False
    """True if the model writes a residual stream of mean zero (TransformerLens' processing)."""


def format_of(folder: Path) -> str | None:
    """The format of a folder; None if it holds no autoencoder."""
    return next((name for name, files in FILES.items() if all((folder / file).is_file() for file in files)), None)


def find(name: str, subfolder: str | None = None, revision: str | None = None) -> Path | None:
    """The folder of an autoencoder that is on this machine: below a path, or below a snapshot in the hub cache."""
    places = [Path(name).expanduser(), *hub_cache.snapshots(name, revision)]
    return next((place / (subfolder or "") for place in places if format_of(place / (subfolder or ""))), None)


def modern(cfg: dict[str, Any], path: Path) -> dict[str, Any]:
    """SAELens' cfg.json of any version in the form of version 6, with `metadata`.

    Raises: ArtefactError for what the equations here cannot express.
    """
    cfg = {LEGACY.get(key, key): value for key, value in cfg.items()}
    cfg.setdefault("architecture", "standard")
    if cfg.get("activation_fn") == "topk":
        cfg["architecture"], cfg["k"] = "topk", (cfg.get("activation_fn_kwargs") or {}).get("k", cfg.get("k"))
    elif cfg.get("activation_fn", "relu") != "relu":
        raise ArtefactError(f"{path}: activation_fn is '{cfg['activation_fn']}'; only relu and topk can be read")
    normalisation = cfg.get("normalize_activations") or "none"
    cfg["normalize_activations"] = "expected_average_only_in" if normalisation is True else normalisation
    if "metadata" not in cfg:  # before version 6 everything stood side by side
        keys = ("model_name", "hook_name", "hook_head_index", "context_size", "model_from_pretrained_kwargs")
        cfg["metadata"] = {key: cfg[key] for key in keys if key in cfg}
    if cfg["architecture"] not in READ:
        raise ArtefactError(f"{path}: architecture '{cfg['architecture']}' is none of {', '.join(READ)}")
    for key, plain, where in (
        ("finetuning_scaling_factor", False, cfg), ("reshape_activations", "none", cfg),
        ("hook_head_index", None, cfg["metadata"]),
    ):  # fmt: skip
        if where.get(key, plain) not in (plain, None):
            raise ArtefactError(f"{path}: {key} is {where[key]!r}; only autoencoders of whole activations can be read")
    if cfg["normalize_activations"] not in ("none", "expected_average_only_in"):
        raise ArtefactError(
            f"{path}: normalize_activations is '{cfg['normalize_activations']}', which differs from vector to vector "
            "and cannot be folded into the weights; only 'none' and 'expected_average_only_in' can be read"
        )
    return cfg


def read(folder: Path) -> DeclaredSae:
    """Metadata of a folder.

    Raises: ArtefactError naming the file for a key that is missing or cannot be expressed.
    """
    name = format_of(folder)
    if name is None:
        raise ArtefactError(f"{folder} holds no autoencoder: expected {NEEDED}")
    path = folder / FILES[name][0]
    cfg = read_json(path)
    try:
        if name == "dictionary_learning":
            cfg = cfg["trainer"]
            names = cfg.get("lm_name"), cfg.get("submodule_name")
            return DeclaredSae(path, name, cfg["activation_dim"], cfg["dict_size"], *names)
        if name == "sparsify":
            width = cfg.get("num_latents") or cfg["d_in"] * cfg["expansion_factor"]
            return DeclaredSae(path, name, cfg["d_in"], width, None, None)
        cfg = modern(cfg, path)
    except KeyError as error:
        raise ArtefactError(f"{path}: {error} is missing, so it is no configuration of an autoencoder") from None
    metadata = cfg["metadata"]
    if missing := [key for key in ("d_in", "d_sae") if key not in cfg]:
        raise ArtefactError(f"{path}: '{missing[0]}' is missing, so it is no configuration of an autoencoder")
    processing = metadata.get("model_from_pretrained_kwargs") or {}
    return DeclaredSae(
        path, name, cfg["d_in"], cfg["d_sae"], metadata.get("model_name"), metadata.get("hook_name"),
        cfg["normalize_activations"], bool(processing.get("center_writing_weights", False)),
    )  # fmt: skip


def same_model(declared: str, names: tuple[str, ...]) -> bool:
    """True if a declared name means one of the given ones: owners, capitals and TransformerLens' short names aside."""

    def bare(name: str) -> str:
        last = name.rstrip("/").rsplit("/", 1)[-1].lower()
        return SAME_MODEL.get(last, last)

    return bare(declared) in {bare(name) for name in names}
