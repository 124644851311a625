"""One unit as a card of HTML: its numbers, top tokens, logit weights, and examples with firing tokens highlighted."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
.unit { border: 1px solid #d9dee4; border-radius: 6px; padding: .6rem .9rem; margin: .8rem 0; }
.unit { font: 13px/1.5 sans-serif; }
.unit h4 { margin: 0 0 .3rem; font-size: 14px; } .unit .facts { color: #5b6875; }
.unit .example { font-family: 'DejaVu Sans Mono', monospace; font-size: 12px; margin: .25rem 0; }
.unit .example span { white-space: pre-wrap; unicode-bidi: isolate; border-radius: 2px; }
.unit .peak { outline: 1.5px solid #1d2733; }
.unit .token { background: #f0f2f4; border-radius: 3px; padding: 0 .25em; }
"""


def visible(text: str) -> str:
    """A token as HTML whose spaces and line breaks can be seen."""
    return escape(text.replace("\n", "⏎").replace("\t", "→")) or "∅"


def example_html(example: Mapping[str, Any], maximum: float) -> str:
    """One line of text; the background of a token is as strong as the unit fires on it."""
    spans = []
    for place, (token, activation) in enumerate(zip(example["tokens"], example["activations"], strict=True)):
        strength = max(0.0, activation) / maximum if maximum > 0 else 0.0
        peak = ' class="peak"' if place == example["peak"] else ""
        spans.append(
            f'<span{peak} style="background:rgba(0,114,178,{0.6 * strength:.2f})" title="{activation:.2f}">'
            f"{visible(token)}</span>"
        )
    return f'<div class="example">{"".join(spans)}</div>'


def _tokens(items: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f'<span class="token">{visible(item["text"])}</span>' for item in items)


def card_html(card: Mapping[str, Any], kind: str) -> str:
    """The card of one latent or neuron, from an entry of interpretation.json."""
    entropy = card["token_entropy_nats"]
    facts = [f"fires on {100 * card['density']:.2f} % of tokens", f"maximum {card['max_activation']:.2f}"]
    if entropy is not None:
        facts.append(f"token entropy {entropy:.2f} nats")
    lines = [f'<div class="facts">{", ".join(facts)}</div>']
    if card["top_tokens"]:
        lines.append(f"<div>top tokens: {_tokens(card['top_tokens'])}</div>")
    if card["logit_weights"]:
        raised, lowered = (_tokens(card["logit_weights"][end][:6]) for end in ("top", "bottom"))
        lines.append(f"<div>raises {raised}; lowers {lowered}</div>")
    lines += [example_html(example, card["max_activation"]) for example in card["examples"]]
    return f'<div class="unit"><h4>{kind} {card["index"]}</h4>{"".join(lines)}</div>'
