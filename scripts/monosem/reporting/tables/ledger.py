"""Tables of claims and acceptance rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.monosem.reporting.formats import FORMATS, Number, cell, number, table


def _show(value: Number, form: str) -> str:
    return FORMATS[form](value)


def _conditions(conditions: Iterable[Mapping[str, Any]]) -> str:
    parts = []
    for item in conditions:
        label = f", {item['bar_label']}" if item["bar_label"] else ""
        mark = "" if item["holds"] else " ✗"
        shown, bar = _show(item["value"], item["format"]), _show(item["bar"], item["format"])
        parts.append(f"{item['quantity']} **{shown}** ({item['sign']} {bar}{label}){mark}")
    return cell("<br>".join(parts))


def claims(rows: Sequence[Mapping[str, Any]]) -> str:
    """Claim, published value, ours with our bar, control with the same bar, verdict."""
    lines = []
    for row in rows:
        published = "<br>".join(
            f"{item['quantity']} {_show(item['value'], item.get('as', 'number'))}"
            + (f" ({item['note']})" if item.get("note") else "")
            for item in row["published"]
        )
        controls = "<br>".join(
            f"*{control['name']}*: {_conditions(control['conditions'])}" + (" **passes**" if control["passes"] else "")
            for control in row["controls"]
        )
        verdict = row["verdict"] + (f": {row['reason']}" if row["reason"] else "")
        source = f"{row['work']}, {row['section']}"
        lines.append(
            [f"{cell(row['claim'])}<br>*{cell(source)}*", cell(published) or "–", _conditions(row["ours"]) or "–",
             controls or "–", cell(verdict)]
        )  # fmt: skip
    return table(["claim", "paper", "ours (our bar)", "control (must miss it)", "verdict"], lines, "lllll")


def acceptance(result: Mapping[str, Any]) -> str:
    """The acceptance rules of a toy experiment: value, bound, verdict."""

    def show(value: Any) -> str:
        items = value if isinstance(value, list) else [value]
        return cell(", ".join(item if isinstance(item, str) else number(item) for item in items))

    rows = [
        [
            cell(name.replace("_", " ")),
            show(rule["value"]),
            show(rule["bound"]),
            "holds" if rule["pass"] else "**missed**",
        ]
        for name, rule in result["acceptance"].items()
    ]
    return table(["rule", "value", "bound", "verdict"], rows, "lrrl")


def disagreements(rows: Sequence[Mapping[str, Any]], chapter: str) -> str:
    """Claims of a chapter that were not reproduced, with computed reason and our explanation; a sentence if none."""
    missed = [row for row in rows if row["chapter"] == chapter and row["verdict"] == "not reproduced"]
    if not missed:
        return "No claim of this chapter that was attempted missed its bar."
    return "\n".join(f"- {row['claim']} *{row['reason']}.* {row.get('explanation') or ''}".rstrip() for row in missed)
