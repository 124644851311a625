"""TransformerLens hook names -> places in a Hugging Face model, and a forward pass that stops at the last one wanted.

A site is where a tensor enters or leaves a module, so that a hook can read or replace it. `families` says which module;
where it doesn't know the model, the configuration can.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.monosem.models.families import FAMILIES, Family, family_of, known, shape_of
from scripts.monosem.models.model_folder import OPTIONS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor, nn

HAND_NAMED = re.compile(r"(?P<module>[\w.]+):(?P<side>input|output)(:(?P<width>\d+))?")


@dataclass(frozen=True)
class Site:
    """One place in one model where activations are read or replaced."""

    name: str  # TransformerLens hook name, e.g. blocks.0.mlp.hook_post
    module: "nn.Module"  # the module whose input or output it is
    side: str  # "input" or "output"
    d: int  # width of the activations
    layer: int | None  # the block it belongs to; None where the configuration named the module
    inner: str  # name within the block; the whole name where the configuration named the module


def layer_of(site: str) -> tuple[int, str] | None:
    """`blocks.2.mlp.hook_post` -> (2, "mlp.hook_post"); None for a site that the configuration named itself."""
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", site)
    return (int(match[1]), match[2]) if match else None


def inner_of(site: str) -> str:
    """`blocks.2.mlp.hook_post` -> "mlp.hook_post"; the whole name of a site that the configuration named itself."""
    _, inner = layer_of(site) or (None, site)
    return inner


def hand_named(config: Mapping[str, Any]) -> dict[str, str]:
    """Sites that the configuration named itself: hook name -> `module.path:input` or `module.path:output[:width]`."""
    return config.get(OPTIONS, {}).get("sites") or {}


def _unknown_family(hook_name: str, config: Mapping[str, Any]) -> str:
    looked = ", ".join(f"{family.body}.{family.blocks}" for family in FAMILIES)
    return (
        f"'{hook_name}' cannot be found in a model of model_type '{config.get('model_type')}': its blocks were looked "
        f"for as {looked}, which fit {known()}; name the module under models.<name>.pretrained.sites, for example "
        f'{{"{hook_name}": "model.layers.0.mlp.down_proj:input:4096"}} (path, input or output, width)'
    )


def sites_of(family: Family, config: Mapping[str, Any]) -> dict[str, str | None]:
    """Names within a block -> None, or the reason why this model lacks the site."""
    reasons: dict[str, str | None] = dict.fromkeys(family.sites)
    for name, (key, value, reason) in family.absent_when.items():
        reasons[name] = reason if config.get(key, True) == value else None
    return reasons


def parse(hook_name: str, config: Mapping[str, Any]) -> tuple[int | None, str, int]:
    """Check a hook name against a model's config.json alone: (layer, name within the block, width). No torch needed.

    Raises: ValueError with the nearest valid name, or how to name a module of an unknown family.
    """
    named = hand_named(config)
    if hook_name in named:
        match = HAND_NAMED.fullmatch(named[hook_name])
        if not match or not match["width"]:
            raise ValueError(
                f"'{hook_name}' is named as '{named[hook_name]}'; expected 'path.of.module:input:width' or "
                "'path.of.module:output:width'"
            )
        return None, hook_name, int(match["width"])
    family = family_of(config)
    if family is None:
        raise ValueError(_unknown_family(hook_name, config))
    shape, there = shape_of(config, family), sites_of(family, config)
    place = layer_of(hook_name)
    layer, inner = place or (0, re.sub(r"^blocks\.\d*\.?", "", hook_name))
    if not place or there.get(inner, "") is not None:
        valid = [name for name, reason in there.items() if reason is None]
        nearest = difflib.get_close_matches(inner, valid, n=1, cutoff=0.0)[0]
        reason = f" ({there[inner]})" if there.get(inner) else ""
        raise ValueError(
            f"'{hook_name}' is no site of this model{reason}; "
            f"the nearest is 'blocks.{min(layer, shape.n_layer - 1)}.{nearest}'"
        )
    if layer >= shape.n_layer:
        raise ValueError(
            f"'{hook_name}': the model has {shape.n_layer} block(s), so the last is "
            f"'blocks.{shape.n_layer - 1}.{inner}'"
        )
    return layer, inner, getattr(shape, family.sites[inner][2])


def body_of(model: "nn.Module") -> "nn.Module":
    """The model without its unembedding."""
    family = family_of(model.config.to_dict())
    return model.get_submodule(family.body) if family else model.base_model


def blocks_of(model: "nn.Module") -> "nn.ModuleList":
    """The list of blocks of a model of a known family."""
    return body_of(model).get_submodule(family_of(model.config.to_dict()).blocks)


def resolve(model: "nn.Module", hook_name: str) -> Site:
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


def first(value: Any) -> Any:
    """The tensor in what a module is given or gives: attention gives a tuple."""
    return value[0] if isinstance(value, tuple) else value


def input_of(args: tuple, keywords: dict) -> "Tensor":
    """The tensor that a module works on, given by place or by name."""
    return args[0] if args else next(iter(keywords.values()))


def observe(site: Site, seen: Any) -> Any:
    """Hook a function of the tensor onto a site; what it returns changes nothing. Returns the handle to remove."""

    def before(_module: "nn.Module", args: tuple, keywords: dict) -> None:
        seen(input_of(args, keywords))

    def after(_module: "nn.Module", _args: tuple, output: Any) -> None:
        seen(first(output))

    if site.side == "input":
        return site.module.register_forward_pre_hook(before, with_kwargs=True)
    return site.module.register_forward_hook(after)


def shaped(value: "Tensor", tokens: "Tensor", site: Site) -> "Tensor":
    """[batch, context, d], also from modules that work on flat rows. Raises: ValueError for another width."""
    if value.shape[-1] != site.d:
        raise ValueError(f"'{site.name}' is {value.shape[-1]} wide in the model, but {site.d} was expected")
    return value.reshape(*tokens.shape, site.d)


def packing(
    model: "nn.Module", tokens: "Int[Tensor, 'batch context']", separator: int | None
) -> dict[str, "Int[Tensor, 'batch context'] | Bool[Tensor, 'batch 1 context context']"]:
    """What to tell the model so that no token attends to another document of its window: positions, and a mask for
    families that need one. Nothing where the model's settings ask for attention across documents, or for one document.

    `separator` stands before every document; None if the tokens are one document.
    """
    import torch

    settings = getattr(model.config, OPTIONS, None) or {}
    if separator is None or settings.get("attention_across_documents", True):
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
    model: "nn.Module", sites: Sequence[Site], tokens: "Int[Tensor, 'batch context']", separator: int | None = None
) -> "list[Float[Tensor, 'batch context d']]":
    """Activations at several sites from one pass; nothing after the last is computed (in particular no unembedding)."""
    import torch

    caught: dict[int, Tensor] = {}

    def keep(number: int) -> Any:
        def seen(value: "Tensor") -> None:
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
    model: "nn.Module", site: Site, tokens: "Int[Tensor, 'batch context']", separator: int | None = None
) -> "Float[Tensor, 'batch context d']":
    """Activations at one site; see `capture_all`."""
    return capture_all(model, [site], tokens, separator)[0]
