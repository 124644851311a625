"""An intervention as a page: tables and continuations in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.monosem.reporting.formats import code, fixed, number, percent, quote, table


def _level(row: Mapping[str, Any]) -> str:
    return number(row["value"]) if row["dose"] is None else f"{number(row['dose'])} × ({number(row['value'])})"


def _tokens(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{code(row['text'])} {percent(row['probability'])}" for row in rows)


def _reading(part: Mapping[str, Any]) -> list[str]:
    names = part["tokens"]
    lines = [
        [
            _level(row), fixed(row["mean_change_nats"], 4), fixed(row["random_mean_change_nats"], 4),
            fixed(row["random_largest_change_nats"], 4),
            f"{code(names[row['most_changed']])} ({row['change_nats'][row['most_changed']]:+.3f})",
            _tokens(row["free_next"]), _tokens(row["pinned_next"]),
        ]
        for row in part["levels"]
    ]  # fmt: skip
    header = [
        "pinned at", "loss added (nats per token)", "random units, mean", "largest of them", "token that changes most",
        "expected there, unpinned", "expected there, pinned",
    ]  # fmt: skip
    cut = " It was cut to the context." if part["cut"] else ""
    return [
        "## While the model reads", "", quote(part["text"]) + cut, "", table(header, lines, "rrrrlll"), "",
        "![loss by token](loss-by-token.svg)", "",
    ]  # fmt: skip


def _writing(part: Mapping[str, Any]) -> list[str]:
    lines = [["unpinned", "–", "–", "–", _tokens(part["next"])]]
    lines += [
        [
            _level(row), fixed(row["kl_nats"], 4), fixed(row["random_mean_kl_nats"], 4),
            fixed(row["random_largest_kl_nats"], 4), _tokens(row["next"]),
        ]
        for row in part["levels"]
    ]  # fmt: skip
    header = ["pinned at", "KL of the next token (nats)", "random units, mean", "largest of them", "next tokens"]
    continuations = [
        "### Continuations",
        "",
        "unpinned:",
        "",
        *(f"- {quote(text)}" for text in part["continuations"]),
        "",
    ]
    for row in part["levels"]:
        continuations += [f"pinned at {_level(row)}:", "", *(f"- {quote(text)}" for text in row["continuations"])]
        if row["random_continuation"] is not None:
            continuations += [f"- *a random unit at the same level*: {quote(row['random_continuation'])}"]
        continuations.append("")
    return [
        "## While the model writes", "", f"It continues {quote(part['prompt'])} with {part['n_tokens']} tokens.", "",
        table(header, lines, "rrrrl"), "", *continuations,
    ]  # fmt: skip


def page(name: str, document: Mapping[str, Any]) -> str:
    """Markdown of one intervention.json, with its figures beside it."""
    whose = f"of `{document['run']}` " if document["run"] else ""
    unit = f"{document['kind']} {document['unit']}"
    lines = [
        f"# Intervention {name}", "",
        f"The {unit} {whose}at `{document['site']}` of `{document['model']}`. It is above 0 on "
        f"{percent(document['density'], 2)} of {document['n_tokens']:,} tokens of the validation split, at most "
        f"{number(document['largest_activation'])}. Beside it, as control, {len(document['random_units'])} random "
        f"{document['kind']}s pinned in the same way.", "",
        "![dose-response](dose-response.svg)", "",
    ]  # fmt: skip
    if document["reading"]:
        lines += _reading(document["reading"])
    if document["writing"]:
        lines += _writing(document["writing"])
    lines += ["## Conventions", "", *(f"- {key}: {words}" for key, words in document["conventions"].items()), ""]
    return "\n".join(lines)
