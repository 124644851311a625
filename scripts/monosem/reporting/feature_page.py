"""The page of a feature as one HTML file: examples underlined by ablation, pinned samples, the figure."""

from collections.abc import Mapping
from typing import Any

import jinja2

from scripts.monosem.text.visible import visible


def page(name: str, document: Mapping[str, Any], figure: str, template: str, style: str, browser: str | None) -> str:
    """HTML of one entry of features.json.

    Args:
        figure: its figure as SVG.
        template: source of paper/feature.html.j2.
        style: the report's CSS.
        browser: address of the latent in the feature browser; None where that does not have it.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = visible
    given = {
        "name": name,
        "document": document,
        "feature": document["features"][name],
        "style": style,
        "browser": browser,
    }
    return environment.from_string(template).render(figure=figure[figure.index("<svg") :], **given)


def absent(name: str, reason: str, style: str) -> str:
    """HTML of a page whose latent there is not, with the reason."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{style}</style>'
        f"</head><body><h1>{name}</h1><p>{reason}</p></body></html>\n"
    )
