"""Open causal language models that lie on this machine as Hugging Face folders. Nothing here touches the network."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.monosem.io import ArtefactError, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NEEDED = ("config.json", "model.safetensors", "tokenizer.json")


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds everything that the workflow reads of a model."""
    return all((folder / name).is_file() for name in NEEDED)


def find_pretrained(name: str) -> Path | None:
    """The folder of a model that is on this machine: a path, or a snapshot in the hub cache. Imports no torch.

    The cache is searched as huggingface_hub does (HF_HUB_CACHE, HF_HOME, ~/.cache/huggingface), newest snapshot first;
    a bare name such as `gpt2` is also looked up as its present owner's `openai-community/gpt2`.
    """
    folder = Path(name).expanduser()
    if is_model_folder(folder):
        return folder
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    for repository in (name, f"openai-community/{name}"):
        snapshots = cache.joinpath("models--" + repository.replace("/", "--"), "snapshots").glob("*")
        for snapshot in sorted(snapshots, key=lambda path: path.stat().st_mtime, reverse=True):
            if is_model_folder(snapshot):
                return snapshot
    return None


def load_model(folder: str | Path, device: str = "cpu") -> "PreTrainedModel":
    """A GPT2LMHeadModel in float32, eval mode, without gradients.

    Raises: ArtefactError naming the file for a cut, foreign or non-finite one.
    """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from scripts.monosem.io import load_tensors

    folder = Path(folder)
    config = read_json(folder / "config.json")
    if config.get("model_type") != "gpt2":
        raise ArtefactError(f"{folder / 'config.json'}: model_type is '{config.get('model_type')}', expected 'gpt2'")
    state = load_tensors(folder / "model.safetensors")
    model = GPT2LMHeadModel(GPT2Config(**config)).eval().requires_grad_(False)
    prefix = "" if any(name.startswith("transformer.") for name in state) else "transformer."
    missing, unexpected = model.load_state_dict({prefix + name: value for name, value in state.items()}, strict=False)
    # tied weights, and the attention masks that old GPT-2 files carry
    missing = [name for name in missing if name != "lm_head.weight"]
    unexpected = [name for name in unexpected if not name.endswith((".attn.bias", ".attn.masked_bias"))]
    if missing or unexpected:
        raise ArtefactError(
            f"{folder / 'model.safetensors'} does not fit its config.json: "
            f"{len(missing)} tensors are missing (first: {missing[:1]}), {len(unexpected)} are foreign "
            f"(first: {unexpected[:1]}); put matching files in the folder"
        )
    model.tie_weights()
    return model.to(device=torch.device(device), dtype=torch.float32)
