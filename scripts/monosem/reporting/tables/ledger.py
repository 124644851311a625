"""Tables of claims and acceptance rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.monosem.reporting.formats import FORMATS, Number, cell, number, table


def _show(value: Number, form: str) -> str:
    return FORMATS[form](value)


def _estimate(part: Mapping[str, Any]) -> str:
    """The value, with its interval if it has one."""
    value, form = _show(part["value"], part["format"]), part["format"]
    if part["over"] in ("exact", "one run") or None in (part["low"], part["high"]):
        return value
    bare = [_show(part[end], form).removesuffix(" %").removesuffix(" nats") for end in ("low", "high")]
    return f"{value} [{bare[0]}, {bare[1]}]"


def _mark(state: str, wanted: str) -> str:
    """A mark on a state that differs from the one wanted."""
    return "" if state == wanted else " ?" if state == "open" else " ✗"


def _bar(part: Mapping[str, Any]) -> str:
    bar = part["bar"]
    label = f" ({bar['label']})" if bar["label"] else ""
    return f"{bar['sign']} {_show(bar['value'], part['format'])}{label}"


def _controls(controls: Iterable[Mapping[str, Any]], quantity: str) -> str:
    shown = []
    for control in controls:
        part = next(part for part in control["parts"] if part["quantity"] == quantity)
        if part["must_fail"]:
            shown.append(f"{control['name']}: {_estimate(part)}{_mark(part['state'], 'fails')}")
        elif part["value"] is not None:
            shown.append(f"*{control['name']}: {_estimate(part)}*")
    return "<br>".join(map(cell, shown)) or "–"


def _published(row: Mapping[str, Any]) -> str:
    lines = []
    for item in row["published"]:
        note = f", {item['note']}" if item["note"] else ""
        value = "" if item["value"] is None else f" {_show(item['value'], item['format'])}"
        lines.append(f"{item['quantity']}{value} ({item['origin']}{note})")
    return cell("<br>".join(lines)) or "–"


def claims(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line per part of each claim: ours and the controls side by side with 95 % intervals, and the verdict."""
    lines = []
    for row in rows:
        source = f"{row['work']}, {row['section']}"
        verdict = row["verdict"] + (f": {row['reason']}" if row["reason"] else "")
        if row["stand_in"]:
            verdict += " (on a stand-in)"
        first = [f"{cell(row['sentence'])}<br>*{cell(source)}*", _published(row)]
        parts = row["ours"]["parts"] if row["ours"] else [None]
        for part in parts:
            middle = ["–"] * 3
            if part:
                ours = f"**{_estimate(part)}**{_mark(part['state'], 'holds')}"
                middle = [f"{cell(part['quantity'])} {_bar(part)}", ours, _controls(row["controls"], part["quantity"])]
            lines.append([*first, *middle, cell(verdict)])
            first, verdict = ["", ""], ""
    return table(["claim", "paper", "part and bar", "ours", "controls", "verdict"], lines, "llllll")


def counts(ledger: Mapping[str, Any]) -> str:
    """Number of claims of each verdict; those on stand-ins and checks apart."""
    rows = [
        ("claims", "counts"),
        ("claims on a stand-in", "stand_in_counts"),
        ("checks of experiments", "check_counts"),
    ]
    filled = [(name, ledger[key]) for name, key in rows if any(ledger[key].values())]
    header = ["", *ledger["counts"]]
    return table(header, [[name, *counted.values()] for name, counted in filled])


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
    """Claims of a chapter that were not reproduced or are undecided, with reason and explanation; else a sentence."""
    missed = [row for row in rows if row["chapter"] == chapter and row["verdict"] in ("not reproduced", "undecided")]
    if not missed:
        return "Every claim of this chapter that was attempted was reproduced."
    return "\n".join(
        f"- {row['sentence']} *{row['verdict'].capitalize()}; {row['reason']}.* {row['explanation']}".rstrip()
        for row in missed
    )
