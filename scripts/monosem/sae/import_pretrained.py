"""Import a pretrained SAE: read it in any known format, fold its conventions, check its model, label it."""

from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.sae import foreign, formats
from scripts.monosem.sae.architectures import ARCHITECTURES


def import_pretrained(
    folder: Path, source: dict[str, Any], model_sha256: str, reading: dict[str, Any], names: dict[str, str]
) -> tuple[dict[str, Any], foreign.Tensors, dict[str, Any]]:
    """Configuration, tensors and summary (training.json) of a pretrained autoencoder.

    Args:
        source: what the configuration says about it, with `centred` resolved.
        model_sha256: of the model that it will read here.
        reading: {"context", "drop_first_position", "norm_limit"}: how text is read here; tokens above the limit are
            left out, by the rule of the site.
        names: {"model", "site", "run"}.
    Raises: ArtefactError if the files name another model by its sha256, or cannot be read.
    """
    declared = formats.read(folder)
    cfg, tensors = foreign.read(folder, source.get("norm_scaling_factor"))
    if source["centred"]:
        tensors = foreign.centring(tensors)
    metadata = cfg["metadata"]
    trained_on = metadata.get("model_sha256")
    if trained_on is not None and trained_on != model_sha256:
        raise artefacts.ArtefactError(
            f"{declared.path}: this autoencoder was trained on '{declared.model}' with the sha256 {trained_on[:12]}, "
            f"the model here has {model_sha256[:12]}; give its own model"
        )
    origin = {
        "kind": "pretrained",
        "name": source["name"],
        "subfolder": source.get("subfolder"),
        "revision": source.get("snapshot"),
        "format": declared.format,
        "files_sha256": {path.name: artefacts.sha256(path) for path in (declared.path, declared.weights)},
        "declared_model": declared.model,
        "declared_hook": declared.hook,
        "centred": source["centred"],
        "norm_scaling_factor": source.get("norm_scaling_factor"),
    }
    trained = metadata.get("training")
    kept = {key: value for key, value in metadata.items() if key not in ("training", "training_architecture")}
    if metadata.get("training_architecture") in ARCHITECTURES:
        kept["training_architecture"] = metadata["training_architecture"]
    cfg["metadata"] = kept | {
        "training": trained if isinstance(trained, dict) else {"k": cfg.get("k")},
        "model_name": names["model"],
        "hook_name": names["site"],
        "monosem_run": names["run"],
        "model_sha256": model_sha256,
        "context_size": reading["context"],
        "drop_first_position": reading["drop_first_position"],
        "norm_limit": reading["norm_limit"],
        "pretrained": origin,
    }
    summary = origin | {"architecture": cfg["architecture"], "d_in": cfg["d_in"], "d_sae": cfg["d_sae"]}
    return cfg, tensors, summary
