"""Numbers with their uncertainty, and bars that they clear, miss, or leave open."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

Over = Literal["documents", "windows", "tokens", "units", "seeds", "samples", "prompts", "exact", "one run"]
"""Things that an interval is taken over. "exact": a closed form, an identity or a count of everything there is; "one
run": a number of a single trained model or experiment, whose spread nobody has measured."""
WITHOUT_INTERVAL = ("exact", "one run")
State = Literal["holds", "fails", "open"]

SIGNS = {"≥": operator.ge, "≤": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Estimate:
    """One number of the run."""

    value: float | None
    """None if the quantity is not defined in this run."""
    low: float | None
    """Lower end of the 95 % interval; the value itself without an interval."""
    high: float | None
    """Upper end."""
    over: Over
    """The things that the interval is over."""
    n: int | None = None
    """Number of these, where the result has it."""
    source: str = ""
    """Key in results/metrics.json, or the operation on several."""

    @property
    def defined(self) -> bool:
        """True if the value and both ends are numbers."""
        return None not in (self.value, self.low, self.high)


def undefined(over: Over, source: str = "") -> Estimate:
    """The estimate of a quantity that this run does not define."""
    return Estimate(None, None, None, over, None, source)


def between(a: Estimate, b: Estimate, x_a: float | None, x_b: float | None, x: float | None) -> Estimate:
    """Linear between two estimates at x_a and x_b, its ends too; not defined where x is outside."""
    source = f"between {a.source} and {b.source}"
    if None in (x_a, x_b, x) or not (a.defined and b.defined) or not min(x_a, x_b) <= x <= max(x_a, x_b) or x_a == x_b:
        return undefined(a.over, source)
    share = (x - x_a) / (x_b - x_a)
    mixed = [p + share * (q - p) for p, q in ((a.value, b.value), (a.low, b.low), (a.high, b.high))]
    return Estimate(*mixed, a.over, a.n, source)


def scaled(a: Estimate, factor: float) -> Estimate:
    """A positive multiple of an estimate."""
    if not a.defined:
        return a
    return Estimate(factor * a.value, factor * a.low, factor * a.high, a.over, a.n, a.source)


def exactly(value: float) -> Estimate:
    """A number without uncertainty."""
    return Estimate(value, value, value, "exact")


def minus(a: Estimate, b: Estimate) -> Estimate:
    """a − b, with the interval [a.low − b.high, a.high − b.low].

    That is wider than the interval of the difference of independent estimates. Where both are measured on the same
    documents, let the evaluation resample the difference, and read that.
    """
    source = f"{a.source} − {b.source}"
    over = b.over if a.over in WITHOUT_INTERVAL else a.over
    if not (a.defined and b.defined):
        return undefined(over, source)
    return Estimate(a.value - b.value, a.low - b.high, a.high - b.low, over, a.n, source)


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """a / b, with the interval of all quotients; not defined where b's interval is not above 0."""
    source = f"{a.source} / {b.source}"
    over = b.over if a.over in WITHOUT_INTERVAL else a.over
    if not (a.defined and b.defined) or b.low <= 0:
        return undefined(over, source)
    ends = [x / y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Estimate(a.value / b.value, min(ends), max(ends), over, a.n, source)


def negative(a: Estimate) -> Estimate:
    """−a."""
    return minus(exactly(0.0), a)


def map_value(a: Estimate, function: Callable[[float], float]) -> Estimate:
    """A function of an estimate without interval."""
    value = None if a.value is None else function(a.value)
    return Estimate(value, value, value, a.over, a.n, a.source)


def proportion(share: Estimate, n: float | None, over: Over) -> Estimate:
    """A share of n independent things, with Wilson's interval."""
    if share.value is None or not n:
        return undefined(over, share.source)
    ends = stats.binomtest(round(share.value * n), int(n)).proportion_ci(method="wilson")
    return Estimate(share.value, float(ends.low), float(ends.high), over, int(n), share.source)


def extreme(estimates: Sequence[Estimate], of: Literal["smallest", "largest"]) -> Estimate:
    """The estimate of smallest or largest value; one that is not defined is passed over, unless all are."""
    usable = [each for each in estimates if each.defined]
    if not usable:
        return estimates[0] if estimates else undefined("one run")
    return (min if of == "smallest" else max)(usable, key=lambda each: each.value)


@dataclass(frozen=True)
class Bar:
    """The number that an estimate must clear, and in which direction."""

    sign: Literal["≥", "≤", ">", "<"]
    """The comparison that must be true."""
    value: float | None
    """None where this run does not define it."""
    label: str = ""
    """Words for a bar that is computed ("all features"), else ""."""

    def state(self, estimate: Estimate) -> State:
        """The interval clears the bar, misses it, or contains it; what is not defined is open."""
        if not estimate.defined or self.value is None:
            return "open"
        compare = SIGNS[self.sign]
        cleared = [bool(compare(end, self.value)) for end in (estimate.low, estimate.high)]
        return "holds" if all(cleared) else "open" if any(cleared) else "fails"


def at_least(value: float | None, label: str = "") -> Bar:
    """The estimate must be at least this."""
    return Bar("≥", value, label)


def at_most(value: float | None, label: str = "") -> Bar:
    """The estimate must be at most this."""
    return Bar("≤", value, label)


def above(value: float | None, label: str = "") -> Bar:
    """The estimate must be above this."""
    return Bar(">", value, label)


def below(value: float | None, label: str = "") -> Bar:
    """The estimate must be below this."""
    return Bar("<", value, label)
