"""Pretrained runs: their folders, and checks that they fit their model and site.

Read while the workflow is parsed: from cfg.json and config.json alone, no torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.models import site_names
from scripts.monosem.models.families import family_of
from scripts.monosem.sae import formats

CENTRED = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")  # by TransformerLens
Run = Mapping[str, Any]


def is_pretrained(run: Run) -> bool:
    """True for a pretrained entry of sae.runs."""
    return "pretrained" in run


def folder_of(run: Run) -> Path | None:
    """Folder of a pretrained autoencoder; None if it is not on this machine."""
    source = run["pretrained"]
    return formats.find(source["name"], source.get("subfolder"), source.get("revision"))


def d_sae(run: Run) -> int:
    """Latents of a run, trained in this workflow or pretrained."""
    return formats.read(folder_of(run)).d_sae if is_pretrained(run) else run["d_sae"]


def resolved(run: Run, site: str) -> dict[str, Any]:
    """Settings of a pretrained run, with its folder, its snapshot, and `centred` resolved."""
    source, folder = dict(run["pretrained"]), folder_of(run)
    centred = source.get("centred", formats.read(folder).centred) and site_names.inner_of(site) in CENTRED
    place = folder.parents[len(Path(source.get("subfolder") or "").parts) - 1] if source.get("subfolder") else folder
    snapshot = place.name if place.parent.name == "snapshots" else None
    return source | {"folder": str(folder), "centred": centred, "snapshot": snapshot}


def files(run: Run) -> list[str]:
    """The files of a pretrained run."""
    folder = folder_of(run)
    return [str(folder / name) for name in formats.FILES[formats.format_of(folder)]]


def _undeclared(what: str, path: Path, key: str, where: str) -> ValueError:
    return ValueError(f"{where}.{key}: {path} does not say {what}; write it here")


def check(run: Run, where: str, model: tuple[str, ...], shape: Mapping[str, Any], site: str) -> None:
    """Refuse a pretrained run that does not belong to a model and site.

    Args:
        where: path of the run in the configuration.
        model: the names that the model goes by.
        shape: its config.json.
    Raises: ValueError in one sentence; ArtefactError for files that cannot be read.
    """
    source, where = run["pretrained"], f"{where}.pretrained"
    folder = folder_of(run)
    if folder is None:
        sub = f" --sae {source['subfolder']}" if source.get("subfolder") else " --sae ."
        at = f" --revision {source['revision']}" if source.get("revision") else ""
        below = f"{source['name']}/{source['subfolder']}" if source.get("subfolder") else source["name"]
        raise ValueError(
            f"{where}.name: '{below}' is neither a folder with {formats.NEEDED} nor in the hub cache of this machine; "
            f"`python -m scripts.fetch_model {source['name']}{sub}{at}` fetches it where there is a network"
        )
    declared = formats.read(folder)
    name, hook = source.get("model_name", declared.model), source.get("hook_name", declared.hook)
    if hook is None:
        raise _undeclared("at which hook the autoencoder reads", declared.path, "hook_name", where)
    if hook != site:
        raise ValueError(
            f"{where}: the autoencoder reads '{hook}', sae.use puts it at '{site}'; give it its own site, or say "
            f"hook_name: {site} if they are one"
        )
    width = site_names.parse(site, shape)[2]
    if declared.d_in != width:
        raise ValueError(
            f"{where}: the autoencoder reads vectors of width {declared.d_in} ({declared.path.name}), '{site}' of "
            f"'{model[0]}' is {width} wide; give it its own model"
        )
    if name is None:
        raise _undeclared("which model the autoencoder was trained on", declared.path, "model_name", where)
    if not formats.same_model(name, model):
        raise ValueError(
            f"{where}: the autoencoder was trained on '{name}', sae.use puts it on '{model[0]}' "
            f"({', '.join(dict.fromkeys(model))}); give it its own model, or say model_name: {model[0]} if they are one"
        )
    if declared.normalisation != "none" and source.get("norm_scaling_factor") is None:
        raise ValueError(
            f"{where}.norm_scaling_factor is missing: {declared.path} says normalize_activations: "
            f"{declared.normalisation}, so the weights need the factor that its release states"
        )
    family = family_of(shape)
    centred = source.get("centred", declared.centred) and site_names.inner_of(site) in CENTRED
    if centred and family is not None and not family.centred_norm:
        raise ValueError(
            f"{where}.centred: the norms of '{model[0]}' do not take the mean away, so x cannot be centred"
        )
