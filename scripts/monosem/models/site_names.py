"""TransformerLens hook names, checked against a model's config.json alone. Imports no torch."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from scripts.monosem.models.families import FAMILIES, Family, family_of, known, shape_of
from scripts.monosem.models.model_folder import OPTIONS

HAND_NAMED = re.compile(r"(?P<module>[\w.]+):(?P<side>input|output)(:(?P<width>\d+))?")


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
    """Layer (None where the configuration named the module), name within the block, and width of a hook name.

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
