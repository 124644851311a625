"""TransformerLens hook names -> modules of a Hugging Face model, and a forward pass that stops at one of them.

GPT-2 family. A site is where a tensor enters or leaves a module, so that a hook can read or replace it.
"""

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn

# hook name within a block -> (module path within the block, side of the module, which width of the configuration)
GPT2_SITES = {
    "hook_resid_pre": ("", "input", "n_embd"),
    "hook_attn_out": ("attn", "output", "n_embd"),
    "hook_resid_mid": ("ln_2", "input", "n_embd"),
    "mlp.hook_pre": ("mlp.c_fc", "output", "n_inner"),
    "mlp.hook_post": ("mlp.c_proj", "input", "n_inner"),
    "hook_mlp_out": ("mlp", "output", "n_embd"),
    "hook_resid_post": ("", "output", "n_embd"),
}


@dataclass(frozen=True)
class Site:
    """One place in one model where activations are read or replaced."""

    name: str  # TransformerLens hook name, e.g. blocks.0.mlp.hook_post
    module: "nn.Module"  # the module whose input or output it is
    side: str  # "input" or "output"
    d: int  # width of the activations
    layer: int  # the block it belongs to


def parse(hook_name: str, config: dict[str, Any]) -> tuple[int, str, int]:
    """Check a hook name against a model's config.json alone: (layer, name within the block, width). No torch needed.

    Raises: ValueError with the nearest valid name.
    """
    n_layer = config["n_layer"]
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", hook_name)
    inner = match.group(2) if match else re.sub(r"^blocks\.\d*\.?", "", hook_name)
    if not match or inner not in GPT2_SITES:
        layer = min(int(match.group(1)), n_layer - 1) if match else 0
        nearest = difflib.get_close_matches(inner, GPT2_SITES, n=1, cutoff=0.0)[0]
        raise ValueError(f"'{hook_name}' is no site of this model; the nearest is 'blocks.{layer}.{nearest}'")
    layer = int(match.group(1))
    if layer >= n_layer:
        raise ValueError(
            f"'{hook_name}': the model has {n_layer} block(s), so the last is 'blocks.{n_layer - 1}.{inner}'"
        )
    width = GPT2_SITES[inner][2]
    d = config.get(width) or (4 * config["n_embd"] if width == "n_inner" else config[width])
    return layer, inner, d


def resolve(model: "nn.Module", hook_name: str) -> Site:
    """Find the module and side of a hook name in a GPT2LMHeadModel. Raises ValueError like `parse`."""
    layer, inner, d = parse(hook_name, model.config.to_dict())
    path, side, _ = GPT2_SITES[inner]
    block = model.transformer.h[layer]
    return Site(hook_name, block.get_submodule(path) if path else block, side, d, layer)


class _Stop(Exception):
    """Leaves a forward pass at the last module that is wanted."""


def capture(
    model: "nn.Module", site: Site, tokens: "Int[Tensor, 'batch context']"
) -> "Float[Tensor, 'batch context d']":
    """Activations at a site; nothing after it is computed (in particular no unembedding)."""
    import torch

    caught: list[Tensor] = []

    def stop(_module: "nn.Module", *values: Any) -> None:
        value = values[-1]  # a pre-hook is given (inputs), a forward hook (inputs, output)
        caught.append(value[0] if isinstance(value, tuple) else value)
        raise _Stop

    register = site.module.register_forward_pre_hook if site.side == "input" else site.module.register_forward_hook
    handle = register(stop)
    try:
        with torch.inference_mode():
            model.transformer(tokens, use_cache=False)
    except _Stop:
        pass
    finally:
        handle.remove()
    return caught[0]
