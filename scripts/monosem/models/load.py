"""Open causal language models from a folder: as a whole, or only as far as the last block that is wanted.

safetensors only; code in a model's repository never runs; nothing uses the network.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.monosem.core import artefacts
from scripts.monosem.models import cost, model_folder
from scripts.monosem.models.families import family_of
from scripts.monosem.models.gpt2 import modules

if TYPE_CHECKING:
    import torch
    from torch import nn


def is_finite(tensor: "torch.Tensor") -> bool:
    """True if there is neither NaN nor infinity, without copies: an embedding is hundreds of MB."""
    return tensor.numel() == 0 or all(math.isfinite(extreme) for extreme in tensor.detach().aminmax())


def tensors_of(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> "Iterator[tuple[str, torch.Tensor]]":
    """Tensors of one safetensors file, one at a time. Raises: ArtefactError for a cut file, or NaN by name.

    They are views of the file's pages. Each has its own mapping, so that its memory is freed when it is dropped.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            names = [name for name in file.keys() if wanted(name)]  # noqa: SIM118
        for name in names:
            with safe_open(str(path), framework="pt") as file:
                tensor = file.get_tensor(name)
            if tensor.is_floating_point() and not is_finite(tensor):
                raise artefacts.ArtefactError(f"{path}: tensor '{name}' holds NaN or infinity; fetch the file again")
            yield name, tensor
    except FileNotFoundError:
        raise artefacts.missing(path) from None
    except (SafetensorError, ValueError, OSError) as error:
        # a link leads to a file of the user's
        remedy = f"fetch {path.resolve()} again" if path.is_symlink() else artefacts.remedy(path)
        raise artefacts.ArtefactError(f"{path} is cut short or no safetensors file ({error}); {remedy}") from None


def _misfit(folder: Path, missing: list[str], unexpected: list[str]) -> artefacts.ArtefactError:
    return artefacts.ArtefactError(
        f"{folder / model_folder.WEIGHTS} does not fit its config.json: "
        f"{len(missing)} tensors are missing (first: {missing[:1]}), {len(unexpected)} are unexpected "
        f"(first: {unexpected[:1]}); put matching files in the folder"
    )


def _is_needed(name: str, n_blocks: int) -> bool:
    """True if a GPT-2 tensor belongs to the embeddings, the head or one of the first blocks."""
    parts = name.removeprefix("transformer.").split(".")
    return parts[0] != "h" or int(parts[1]) < n_blocks


def _load_lean(source: Path, config: dict[str, Any], n_blocks: int) -> "nn.Module":
    files = [source / name for name in model_folder.weight_files(source)]
    state = {k: v for path in files for k, v in tensors_of(path, lambda name: _is_needed(name, n_blocks))}
    model, missing, unexpected = modules.build(config, state, n_blocks)
    if missing or unexpected:
        raise _misfit(source, missing, unexpected)
    return model


def _without_head(body: "nn.Module", prefix: str) -> "nn.Module":
    """A body under the module paths that it has in its causal language model."""
    from torch import nn

    model = nn.Module()
    model.add_module(prefix, body)
    object.__setattr__(model, "base_model", body)
    model.config, model.device = body.config, body.device
    return model


def _load_by_transformers(source: Path, config: dict[str, Any], n_blocks: int | None) -> "nn.Module":
    """A model of transformers, read tensor by tensor; later blocks, and then the head, are not read."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    shape = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=True)
    if n_blocks is not None:
        family = family_of(config)
        setattr(shape, family.keys["n_layer"], n_blocks)
        if getattr(shape, "layer_types", None):
            shape.layer_types = shape.layer_types[:n_blocks]
    made, info = (AutoModelForCausalLM if n_blocks is None else AutoModel).from_pretrained(
        source, config=shape, dtype="auto", use_safetensors=True, trust_remote_code=False, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    missing = sorted({*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])})
    if missing:
        raise _misfit(source, missing, [])
    return made if n_blocks is None else _without_head(made, type(made).base_model_prefix)


def load_model(folder: str | Path, device: str = "cpu", last_block: int | None = None) -> "nn.Module":
    """A causal language model in eval mode, without gradients, in the dtype that its options name (float32 if none).

    Args:
        last_block: load nothing after this block, and no unembedding where it is a matrix of its own. None: everything.
    Raises: ArtefactError naming a file that is cut, does not fit or is not finite, or the memory that is missing.
    """
    import torch

    config = artefacts.read_json(Path(folder) / model_folder.CONFIG)
    dtype = (config.get(model_folder.OPTIONS) or {}).get("dtype", "float32")
    if family_of(config) is not None:
        cost.require_memory(config, dtype, last_block, f"opening the model in {folder}")
    return cast(load_as_stored(folder, last_block).to(torch.device(device)), getattr(torch, dtype))


def load_as_stored(folder: str | Path, last_block: int | None = None) -> "nn.Module":
    """Like `load_model`, on the CPU and in the dtype of the files."""
    folder = Path(folder)
    config, source = artefacts.read_json(folder / model_folder.CONFIG), model_folder.source_of(folder)
    n_blocks = None if last_block is None or family_of(config) is None else last_block + 1
    if modules.can_run(config):
        model = _load_lean(source, config, n_blocks or config["n_layer"])
    else:
        for path in model_folder.weight_files(source):
            next(tensors_of(source / path), None)  # refuses a cut file by name
        model = _load_by_transformers(source, config, n_blocks)
        refuse_non_finite(model, source)
        model.config.monosem = config.get(model_folder.OPTIONS) or {}
    return model.eval().requires_grad_(False)


def refuse_non_finite(model: "nn.Module", source: Path) -> None:
    """Raises: ArtefactError naming a parameter that holds NaN or infinity."""
    for name, value in model.named_parameters():
        if not is_finite(value):
            raise artefacts.ArtefactError(f"{source}: tensor '{name}' holds NaN or infinity; fetch the files again")


def cast(model: "nn.Module", dtype: "torch.dtype") -> "nn.Module":
    """Change the dtype of the parameters, one at a time; buffers (rotary frequencies) keep their precision."""
    for value in model.parameters():
        if value.dtype != dtype:
            value.data = value.data.to(dtype)
    return model
