"""Latents and neurons as cards of HTML: numbers, top tokens, logit weights, examples with firing tokens highlighted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from scripts.monosem.text.visible import visible


def cards_html(cards: Sequence[Mapping[str, Any]], kind: str, template: str | Path) -> str:
    """Cards of `latent`s or `neuron`s, entries of interpretation.json, through an HTML template that has `visible`."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = visible
    source = Path(template).read_text(encoding="utf-8")
    return environment.from_string(source).render(cards=cards, kind=kind)
