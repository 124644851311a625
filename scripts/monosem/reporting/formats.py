"""Numbers, cells, code spans and tables as Markdown."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scripts.monosem.text.visible import visible

UNDEFINED = "not defined"
Number = float | int | None
"""None: the quantity is not defined."""


def number(value: Number, digits: int = 3) -> str:
    """Text with three significant digits by default: 0.01234 -> 0.0123, 123456 -> 123,456, null -> 'not defined'."""
    if value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == 0 or (isinstance(value, int) and abs(value) < 10_000):
        return f"{value:g}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:.{max(digits - 1 - math.floor(math.log10(abs(value))), 0)}f}"


def percent(value: Number, decimals: int = 1) -> str:
    """0.1234 -> 12.3 %"""
    return UNDEFINED if value is None else f"{100 * value:z.{decimals}f} %"


def nats(value: Number) -> str:
    """0.1234 -> 0.123 nats"""
    return UNDEFINED if value is None else f"{value:z.3f} nats"


def fixed(value: Number, decimals: int = 3) -> str:
    """0.1234 -> 0.123"""
    return UNDEFINED if value is None else f"{value:z.{decimals}f}"


def count(value: Number) -> str:
    """1234567 -> 1,234,567"""
    return UNDEFINED if value is None else f"{value:,.0f}"


def two_decimals(value: Number) -> str:
    """0.1234 -> 0.12"""
    return fixed(value, 2)


def estimate(row: Mapping[str, Any], form: Callable[[Number], str] = two_decimals) -> str:
    """A value with its interval, each in the given form: 0.55 [0.54, 0.56]; the value alone where it has none."""
    value = form(row["value"])
    return value if row["low"] is None else f"{value} [{form(row['low'])}, {form(row['high'])}]"


FORMATS = {"percent": percent, "nats": nats, "number": number, "count": count, "fixed": fixed}
"""Names under which claims use them."""


def cell(text: Any) -> str:
    """Text that cannot break a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def code(text: str, in_table: bool = True) -> str:
    """A code span of any text, also with backticks, blanks, pipes and line breaks; pipes differ within a table."""
    if not text:
        return ""
    text = visible(text).replace("|", "\\|") if in_table else visible(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    blank = text[0] == text[-1] == " " and text.strip(" ")  # Markdown would take one away on either side
    padding = " " if blank or text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]], align: str = "") -> str:
    """A Markdown table; `align` has l or r per column (default: l, then r).

    Not by tabulate: it pads every cell of a column to the widest, which here is a paragraph.
    """
    header = list(header)
    align = align or "l" + "r" * (len(header) - 1)
    lines = [header, [{"l": "---", "r": "---:"}[side] for side in align], *[[str(c) for c in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def quote(text: str) -> str:
    """A code span of any text, for use outside tables."""
    return code(text, in_table=False)


FILTERS = {
    "num": number, "pct": percent, "nats": nats, "fixed": fixed, "count": count, "code": code, "quote": quote,
    "cell": cell, "estimate": estimate,
}  # fmt: skip
"""Names under which templates use them."""
