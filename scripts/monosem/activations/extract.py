"""From a model folder to stored activations: check memory, load what is needed, measure bfloat16's error, extract."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scripts.monosem.activations import bfloat16_error
from scripts.monosem.activations.run_pass import Extraction, extract_all
from scripts.monosem.core import artefacts
from scripts.monosem.core.job import say
from scripts.monosem.core.runtime import derive_seed, free_memory, matrix_product_rate, note_cost
from scripts.monosem.models import cost, load, model_folder, site_names, sites
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.text.tokens import TokenStream, windows

WARN_RELATIVE_ERROR = 0.02


def _announce(
    config: dict[str, Any], dtype: str, device: str, last: int | None, context: int, extraction: Extraction, what: str
) -> None:
    """Log the memory and time that are needed. Raises: ArtefactError when the machine or the device cannot hold it."""
    family = family_of(config)
    if family is None or last is None:
        return
    cost.require_memory(config, dtype, last, what, free_memory(device))
    shape = shape_of(config, family)
    rate = matrix_product_rate(512, shape.d_model, shape.d_mlp, dtype, device)
    say(cost.sentence(config, dtype, last, context, extraction.tokens, rate))


def extract_sites(
    folder: Path, folders: Mapping[str, Path], stream: TokenStream, context: int, extraction: Extraction,
    seed: int, identity: Mapping[str, Any], device: str,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Extract several sites (hook name -> folder) of a model in one pass; see `run_pass.extract_all`.

    A model that computes in bfloat16 is first run on a probe of windows with the same weights in float32; the manifest
    has the error.
    """
    config = artefacts.read_json(folder / model_folder.CONFIG)
    options = model_folder.options_of(folder)
    dtype, across = options.get("dtype", "float32"), options.get("attention_across_documents", True)
    layers = [site_names.parse(name, config)[0] for name in folders]
    last = None if None in layers else max(layers)
    note_cost(dtype, device)
    _announce(config, dtype, device, last, context, extraction, f"extracting {', '.join(folders)}")
    model = load.load_as_stored(folder, last).to(device)
    computed = {"computed_in": dtype, "device": device, "attention_across_documents": across}
    if dtype == "float32":
        load.cast(model, torch.float32)
    else:
        wanted = [sites.resolve(model, name) for name in folders]
        # the seed's name decides which windows are the probe
        starts = windows(stream, context, bfloat16_error.WINDOWS * context, derive_seed(seed, "parity"))
        probe = torch.from_numpy(stream.tokens[starts[:, None] + np.arange(context)].astype(np.int64)).to(device)
        exact = bfloat16_error.exact(model, wanted, probe, stream.eos_token_id)
        load.cast(model, getattr(torch, dtype))
        errors = computed["bfloat16_error"] = {}
        for site, here, there in zip(
            wanted, sites.capture_all(model, wanted, probe, stream.eos_token_id), exact, strict=True
        ):
            measured = errors[site.name] = bfloat16_error.compare(there, here)
            error = measured["relative_error"]
            far = "; set dtype: float32 if that is too much" if error > WARN_RELATIVE_ERROR else ""
            say(f"{site.name}: {dtype} is {100 * error:.2f} % from float32 on {measured['tokens']} tokens{far}")
    return extract_all(model, folders, stream, context, extraction, seed, {**identity, **computed}, device)
