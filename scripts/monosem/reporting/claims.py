"""Verdicts on published claims: acceptance rules are data, verdicts are computed, every control must fail.

A claim in paper/claims.yaml:

    - id: loss-recovered
      claim: what the paper says, in words
      work: Bricken et al. 2023
      section: where
      chapter: one_layer                # toy | one_layer | gpt2
      published: [{quantity: loss recovered, value: 0.79, as: percent, note: A/1}]
      accept:                           # all must hold
        - {quantity: loss recovered, value: "{fidelity}:runs/{run}/ce_loss_score", at_least: 0.79, as: percent}
      controls:                         # each must break at least one condition
        - {name: top-k neurons, accept: [{quantity: ..., value: ..., at_least: 0.79}]}

or `status: not attempted` with a `reason` instead of accept and controls. An `explanation` is
printed only if the claim is missed. An operand is a number, a key of
results/metrics.json (roles in braces are filled in), or one of

    {max: [operands]}  {min: [operands]}  {mean: [operands]}      keys in the list may hold `*`
    {minus: [a, b]}    {over: [a, b]}     {times: [a, b]}
    {steps: [operands]}    the smallest rise from one operand to the next: positive if they increase strictly

Bars are at_least, at_most, above, below. Nothing compares as true with an undefined (null) value.
"""

import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.reporting.values import MissingValues, Values

BARS = {
    "at_least": (operator.ge, "≥"),
    "at_most": (operator.le, "≤"),
    "above": (operator.gt, ">"),
    "below": (operator.lt, "<"),
}
KEYS = {"id", "claim", "work", "section", "chapter", "published", "accept", "controls"}
KEYS |= {"status", "reason", "optional", "explanation"}
VERDICTS = ("reproduced", "not reproduced", "not attempted")


@dataclass(frozen=True)
class Condition:
    """One quantity compared with its bar."""

    quantity: str
    """The compared quantity, in words."""
    value: float | None
    """Ours."""
    sign: str
    """≥ ≤ > <"""
    bar: float | None
    """The number that ours is compared with."""
    holds: bool
    """True if ours clears the bar."""
    format: str
    """Name in `formats.FORMATS` under which both are printed."""
    bar_label: str
    """Words for a bar that is computed ("best neuron"), else ""."""


def _both(values: list[float | None], combine: Any) -> float | None:
    return None if any(value is None for value in values) else combine(*values)


def evaluate(operand: Any, values: Values) -> float | None:
    """Number of an operand; None where a value is undefined or missing (`values` remembers the missing ones).

    Raises: ArtefactError for an operand of unknown form.
    """
    if isinstance(operand, bool | int | float):
        return float(operand)
    if isinstance(operand, str):
        value = values.get(operand)
        return None if value is None else float(value)
    if isinstance(operand, dict) and len(operand) == 1:
        ((name, parts),) = operand.items()
        expanded: list[Any] = []
        for part in parts:
            expanded += values.matching(part) if isinstance(part, str) and "*" in part else [part]
        numbers = [evaluate(part, values) for part in expanded]
        defined = [number for number in numbers if number is not None]
        if name in ("max", "min", "mean"):
            reduce = {"max": max, "min": min, "mean": lambda v: sum(v) / len(v)}[name]
            return reduce(defined) if defined else None
        if name == "steps":
            if None in numbers or len(numbers) < 2:
                return None
            return min(b - a for a, b in zip(numbers, numbers[1:], strict=False))
        if name == "minus":
            return _both(numbers, lambda a, b: a - b)
        if name == "over":
            return _both(numbers, lambda a, b: a / b if b else None)
        if name == "times":
            return _both(numbers, lambda a, b: a * b)
    raise artefacts.ArtefactError(
        f"paper/claims.yaml: '{operand}' is no operand; write a number, a key of results/metrics.json, or one of "
        "max, min, mean, minus, over, times, steps with a list"
    )


def judge(condition: Mapping[str, Any], values: Values) -> Condition:
    """Compare one quantity with its bar. Raises: ArtefactError for a condition without exactly one bar."""
    bars = [name for name in condition if name in BARS]
    extra = set(condition) - {"quantity", "value", "as", "bar_label", *BARS}
    if len(bars) != 1 or extra:
        raise artefacts.ArtefactError(
            f"paper/claims.yaml: '{condition.get('quantity', condition)}' needs exactly one of {', '.join(BARS)}"
            + (f" and knows no {', '.join(sorted(extra))}" if extra else "")
        )
    compare, sign = BARS[bars[0]]
    value, bar = evaluate(condition["value"], values), evaluate(condition[bars[0]], values)
    holds = value is not None and bar is not None and bool(compare(value, bar))
    return Condition(
        condition["quantity"], value, sign, bar, holds, condition.get("as", "number"), condition.get("bar_label", "")
    )


def check_claim(claim: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """One claim with its verdict, the reason in words, and the compared numbers of ours and of each control."""
    unknown = set(claim) - KEYS
    if unknown:
        raise artefacts.ArtefactError(
            f"paper/claims.yaml: claim '{claim.get('id')}' has unknown {', '.join(sorted(unknown))}"
        )
    row = {key: claim.get(key) for key in ("id", "claim", "work", "section", "chapter", "explanation")}
    row |= {"published": claim.get("published", []), "ours": [], "controls": []}
    if claim.get("status") == "not attempted":
        return row | {"verdict": "not attempted", "reason": claim["reason"]}

    before = set(values.missing)
    ours = [judge(condition, values) for condition in claim["accept"]]
    controls = [
        (control["name"], [judge(condition, values) for condition in control["accept"]])
        for control in claim.get("controls", [])
    ]
    missing = values.missing - before
    if missing and claim.get("optional"):
        values.missing -= missing
        return row | {"verdict": "not attempted", "reason": f"{claim['optional']} is not in this configuration"}

    row["ours"] = [asdict(condition) for condition in ours]
    row["controls"] = [
        {"name": name, "passes": all(c.holds for c in conditions), "conditions": [asdict(c) for c in conditions]}
        for name, conditions in controls
    ]
    failed = [condition for condition in ours if not condition.holds]
    passing = [control["name"] for control in row["controls"] if control["passes"]]
    if failed:
        failure = "not defined" if all(condition.value is None for condition in failed) else "bar missed"
        reason = f"{', '.join(condition.quantity for condition in failed)}: {failure}"
        return row | {"verdict": "not reproduced", "reason": reason}
    if passing:
        return row | {"verdict": "not reproduced", "reason": f"the control passes too: {', '.join(passing)}"}
    return row | {"verdict": "reproduced", "reason": ""}


def check_claims(claims: list[Mapping[str, Any]], values: Values) -> dict[str, Any]:
    """All claims with verdicts, and how many of each there are.

    Raises: ArtefactError for a duplicate id; MissingValues listing every key that a rule names and no result has.
    """
    ids = [claim["id"] for claim in claims]
    if len(set(ids)) != len(ids):
        raise artefacts.ArtefactError(
            f"paper/claims.yaml: ids are not unique: {sorted({i for i in ids if ids.count(i) > 1})}"
        )
    rows = [check_claim(claim, values) for claim in claims]
    if values.missing:
        raise MissingValues(values.missing, values.table)
    return {"claims": rows, "counts": {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}}
