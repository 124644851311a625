"""Acceptance rules: a measured value beside the bound that it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One rule of an experiment; it never feeds back into training."""

    value: Any
    """Measured: a number, a list of numbers or a bool, None where it could not be measured."""
    bound: Any
    """The number, range or sequence that it is compared with."""
    passed: bool
    """True if the value meets the bound."""

    def to_json(self) -> dict[str, Any]:
        """The rule as an entry of `acceptance` in result.json."""
        return {"value": self.value, "bound": self.bound, "pass": self.passed}


Rules = Mapping[str, Rule]
"""The rules of an experiment by name."""


def at_least(value: Any, bar: Any) -> Rule:
    """value ≥ bar."""
    return Rule(value, bar, bool(value >= bar))


def at_most(value: Any, bar: Any) -> Rule:
    """value ≤ bar."""
    return Rule(value, bar, bool(value <= bar))


def above(value: Any, bar: Any) -> Rule:
    """value > bar."""
    return Rule(value, bar, bool(value > bar))


def below(value: Any, bar: Any) -> Rule:
    """value < bar."""
    return Rule(value, bar, bool(value < bar))


def equal(value: Any, expected: Any) -> Rule:
    """value = expected."""
    return Rule(value, expected, bool(value == expected))


def to_json(rules: Rules) -> dict[str, dict[str, Any]]:
    """All rules as `acceptance` in result.json."""
    return {name: rule.to_json() for name, rule in rules.items()}
