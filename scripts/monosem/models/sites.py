"""Places in a Hugging Face model where activations are read or replaced, and a forward pass that stops at the last one.

A site is where a tensor enters or leaves a module, so that a hook can read or replace it. `families` has the module of
each hook name; for a model that it does not know, the configuration can name it.
"""

import difflib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.models.model_folder import OPTIONS
from scripts.monosem.models.site_names import HAND_NAMED, hand_named, parse


@dataclass(frozen=True)
class Site:
    """One place in one model where activations are read or replaced."""

    name: str
    """TransformerLens hook name, e.g. blocks.0.mlp.hook_post."""
    module: nn.Module
    """The module whose input or output it is."""
    side: str
    """`input` or `output` of the module."""
    d: int
    """Width of the activations."""
    layer: int | None
    """The block it belongs to; None where the configuration named the module."""
    inner: str
    """Name within the block; the whole name where the configuration named the module."""


def body_of(model: nn.Module) -> nn.Module:
    """The model without its unembedding."""
    family = family_of(model.config.to_dict())
    return model.get_submodule(family.body) if family else model.base_model


def blocks_of(model: nn.Module) -> nn.ModuleList:
    """The list of blocks of a model of a known family."""
    return body_of(model).get_submodule(family_of(model.config.to_dict()).blocks)


def longest_window(model: nn.Module) -> int:
    """Tokens that a model can read at once; no limit is known for one that is not in the table of families."""
    config = model.config.to_dict()
    family = family_of(config)
    return shape_of(config, family).n_positions if family else sys.maxsize


def resolve(model: nn.Module, hook_name: str) -> Site:
    """Find the module and side of a hook name in a causal language model. Raises ValueError like `parse`."""
    config = model.config.to_dict()
    layer, inner, d = parse(hook_name, config)
    if layer is None:
        match = HAND_NAMED.fullmatch(hand_named(config)[hook_name])
        try:
            module = model.get_submodule(match["module"])
        except AttributeError:
            paths = [path for path, _ in model.named_modules()]
            nearest = difflib.get_close_matches(match["module"], paths, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"'{hook_name}': the model has no module '{match['module']}'; the nearest is '{nearest}'"
            ) from None
        return Site(hook_name, module, match["side"], d, None, inner)
    path, side, _ = family_of(config).sites[inner]
    block = blocks_of(model)[layer]
    return Site(hook_name, block.get_submodule(path) if path else block, side, d, layer, inner)


def first(value: Tensor | tuple) -> Tensor:
    """The tensor in an input or output of a module: attention returns a tuple."""
    return value[0] if isinstance(value, tuple) else value


def input_of(args: tuple, keywords: dict) -> Tensor:
    """The tensor that a module works on, passed by position or by name."""
    return args[0] if args else next(iter(keywords.values()))


def observe(site: Site, seen: Callable[[Tensor], Any]) -> RemovableHandle:
    """Call `seen` with the tensor at a site in each pass, until the handle is removed; its result is ignored."""

    def before(_module: nn.Module, args: tuple, keywords: dict) -> None:
        seen(input_of(args, keywords))

    def after(_module: nn.Module, _args: tuple, output: Any) -> None:
        seen(first(output))

    if site.side == "input":
        return site.module.register_forward_pre_hook(before, with_kwargs=True)
    return site.module.register_forward_hook(after)


def shaped(
    value: Float[Tensor, "*rows d_in"], tokens: Int[Tensor, "batch context"], site: Site
) -> Float[Tensor, "batch context d_in"]:
    """Rows as windows, for modules that work on flat rows too. Raises: ValueError for another width."""
    if value.shape[-1] != site.d:
        raise ValueError(f"'{site.name}' is {value.shape[-1]} wide in the model, but {site.d} was expected")
    return value.reshape(*tokens.shape, site.d)


def packing(
    model: nn.Module, tokens: Int[Tensor, "batch context"], separator: int | None
) -> dict[str, Int[Tensor, "batch context"] | Bool[Tensor, "batch 1 context context"]]:
    """Inputs that keep attention within the documents of a window: positions, and a mask for families that need one.

    Empty where the model's options ask for attention across documents. `separator` is the token before every document;
    None if the tokens are one document.
    """
    options = getattr(model.config, OPTIONS, None) or {}
    if separator is None or options.get("attention_across_documents", True):
        return {}
    place = torch.arange(tokens.shape[1]).expand(tokens.shape)  # on the CPU: not every device has cummax
    starts = torch.where(tokens.cpu() == separator, place, 0).cummax(-1).values
    inputs = {"position_ids": place - starts}
    family = family_of(model.config.to_dict())
    if family is not None and family.packed_by_mask:
        inputs["attention_mask"] = (starts[:, :, None] == starts[:, None, :]).tril()[:, None]
    return {name: value.to(tokens.device) for name, value in inputs.items()}


class _Stop(Exception):
    """Leaves a forward pass at the last module that is wanted."""


def capture_all(
    model: nn.Module, sites: Sequence[Site], tokens: Int[Tensor, "batch context"], separator: int | None = None
) -> list[Float[Tensor, "batch context _"]]:
    """Activations at several sites from one pass; nothing after the last is computed (in particular no unembedding)."""
    caught: dict[int, Tensor] = {}

    def keep(number: int) -> Any:
        def seen(value: Tensor) -> None:
            caught[number] = value
            if len(caught) == len(sites):
                raise _Stop

        return seen

    handles = [observe(site, keep(number)) for number, site in enumerate(sites)]
    try:
        with torch.inference_mode():
            body_of(model)(tokens, use_cache=False, **packing(model, tokens, separator))
    except _Stop:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return [shaped(caught[number], tokens, site) for number, site in enumerate(sites)]


def capture(
    model: nn.Module, site: Site, tokens: Int[Tensor, "batch context"], separator: int | None = None
) -> Float[Tensor, "batch context d_in"]:
    """Activations at one site; see `capture_all`."""
    return capture_all(model, [site], tokens, separator)[0]
