"""Sparse autoencoders that foreign.py reads, in use and as files of other libraries."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from scripts.monosem.core import artefacts
from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae import foreign, formats, layouts
from scripts.monosem.sae.foreign import Configured, Tensors
from scripts.monosem.sae.model import Sae, decode, encode, from_tensors, pre_activations
from scripts.monosem.sae.saelens import save_sae

FORMATS = ("saelens", "dictionary_learning")  # that can be written
_WRITTEN = {"saelens": formats.FILES["SAELens"], "dictionary_learning": formats.FILES["dictionary_learning"]}


def load(place: str | Path, device: str = "cpu") -> Sae:
    """An autoencoder in any format that foreign.read knows, ready for encode and decode."""
    return from_tensors(*foreign.read(place)).to(device)


def convert(place: str | Path, target: str | Path, form: str) -> dict[str, Any]:
    """Bring an autoencoder into one of FORMATS: the folder `target` exists only once it was opened and compared.

    Returns: its configuration, as foreign.read gives it.
    Raises: ArtefactError for what cannot be read, a target with other files, or files that do not read back the same.
    """
    target = Path(target)
    if target.exists() and not target.is_dir():
        raise ArtefactError(f"{target} is no folder; name one that is made, or has only files that are replaced")
    if target.exists() and target.resolve() == Path(place).resolve():
        raise ArtefactError(f"{target} is the autoencoder itself; name another folder")
    names = _WRITTEN[form]
    if others := sorted({path.name for path in target.glob("*")} - set(names)):
        raise ArtefactError(f"{target} has another file, {others[0]}; name a folder that is made, or an empty one")
    cfg, tensors = foreign.read(place)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        write(cfg, tensors, temporary, form)
        if not reads_back((cfg, tensors), Path(temporary)):
            raise ArtefactError(f"{place} was not converted: {target} would not be the same autoencoder")
        target.mkdir(exist_ok=True)
        for name in names:
            shutil.move(Path(temporary, name), target / name)
    return cfg


def reads_back(written: Configured, folder: Path) -> bool:
    """True if a folder reads back as the autoencoder that was written there.

    Compared are sizes and k, and on random vectors pre-activations, reconstructions and, but for latents at their
    threshold, activations.
    """
    there, sae = load(folder), from_tensors(*written)
    x = sae.b_dec + torch.randn(64, sae.d_in, generator=torch.Generator().manual_seed(0)) * (
        1 + sae.b_dec.std(correction=0)
    )
    f = encode(sae, x)
    z = pre_activations(sae, x)
    near = 1e-5 * (1 + foreign.product(sae.b_dec, sae.W_enc).abs().max() + z.abs().max())
    threshold = torch.zeros(()) if sae.threshold is None else sae.threshold
    return (
        (there.d_in, there.d_sae, there.k) == (sae.d_in, sae.d_sae, sae.k)
        and bool(((pre_activations(there, x) - z).abs() <= near).all())
        and torch.allclose(decode(there, f), decode(sae, f), atol=1e-5, rtol=1e-4)
        and (there.threshold is None) == (sae.threshold is None)
        and bool(((encode(there, x) - f).abs() <= near)[(z - threshold).abs() > near].all())
    )


def write(cfg: dict[str, Any], tensors: Tensors, folder: str | Path, form: str) -> None:
    """Write an autoencoder that foreign.read returned, or that training made, in one of FORMATS."""
    config, weights = (Path(folder, name) for name in _WRITTEN[form])
    if form == "saelens":
        return save_sae(tensors, cfg, weights, config)
    config_json, state = as_dictionary_learning(cfg, tensors)
    with artefacts.atomic_path(weights) as temporary:
        torch.save(state, temporary)
    artefacts.write_json(config_json, config)
    return None


def as_dictionary_learning(cfg: dict[str, Any], tensors: Tensors) -> tuple[dict[str, Any], Tensors]:
    """Their config.json and state dict."""
    dict_class = layouts.WRITTEN[cfg["architecture"]]
    layout = layouts.DICTIONARY_LEARNING[dict_class]
    if not layout.subtracts_b_dec:  # theirs adds b_dec at the end but doesn't subtract it at the start
        tensors = foreign.shifted(tensors, -foreign.product(tensors["b_dec"], tensors["W_enc"]))
    state = {
        theirs: (tensors[ours].t() if layouts.is_transposed(theirs) else tensors[ours]).contiguous()
        for theirs, ours in layout.names.items()
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
    if layout.architecture == "topk":
        trainer["k"] = cfg["k"]
        state |= {"k": torch.tensor(cfg["k"], dtype=torch.int), "threshold": torch.tensor(-1.0)}
    buffer = {"d_submodule": cfg["d_in"], "io": "out", "ctx_len": metadata.get("context_size")}
    return {"trainer": trainer, "buffer": buffer}, state
