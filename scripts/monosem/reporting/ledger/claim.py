"""The form of a claim: a predicate over a subject, and the controls that must break each of its parts.

    @claim(
        sentence="A dictionary keeps most of what the MLP contributes.",
        work="Bricken et al. 2023", section="How much …", chapter="one_layer",
        published=(printed("loss recovered", 0.79, "percent"),),
        subject=Subject("the dictionary", "{fidelity}:runs/{run}"),
        controls=(Control(Subject("largest neurons", "{fidelity}:baselines/top_neurons"), ("worth kept",)),),
    )
    def worth_of_the_mlp(of: Measured) -> list[Part]:
        return [Part("worth kept", of("mlp_worth_kept", "documents"), at_least(0.5), "percent")]

The predicate never learns whose numbers it reads, so that no control is judged by another bar than ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from scripts.monosem.metrics.bootstrap import mean_interval
from scripts.monosem.reporting.ledger.estimates import WITHOUT_INTERVAL, Bar, Estimate, Over, extreme, undefined
from scripts.monosem.reporting.values import Values

Chapter = Literal["toy", "one_layer", "language_model"]


@dataclass(frozen=True)
class Part:
    """One condition of a claim."""

    quantity: str
    """In words; controls name the part by it."""
    estimate: Estimate
    """The subject's."""
    bar: Bar
    """The bar that it must clear."""
    format: str = "number"
    """Name in `formats.FORMATS` under which both are printed."""


@dataclass(frozen=True)
class Subject:
    """Something that a predicate can be asked about."""

    name: str
    """In words, for the tables."""
    at: str | Mapping[str, str]
    """Where its numbers are in results/metrics.json, roles in braces: the beginning of their keys, or the key of each
    quantity, for results that keep a control's numbers under other names."""


@dataclass(frozen=True)
class Control:
    """Another subject for the same predicate."""

    subject: Subject
    breaks: tuple[str, ...]
    """Quantities of the parts that it must miss."""


@dataclass(frozen=True)
class Published:
    """A result that a work reports."""

    quantity: str
    """In words."""
    value: float | None
    """None for a result that the work describes without a number."""
    format: str
    """Name in `formats.FORMATS`."""
    origin: Literal["printed", "derived", "in words"]
    """Printed in the work, computed from what it prints, or described."""
    note: str = ""
    """Under which conditions."""


def printed(quantity: str, value: float, format: str = "number", note: str = "") -> Published:
    """A number that the work prints."""
    return Published(quantity, value, format, "printed", note)


def derived(quantity: str, value: float, format: str = "number", note: str = "") -> Published:
    """A number that follows from what the work prints."""
    return Published(quantity, value, format, "derived", note)


def in_words(sentence: str) -> Published:
    """A result that the work describes without a number of the kind compared here."""
    return Published(sentence, None, "number", "in words")


class Measured:
    """The numbers of one subject; `of(quantity, over)` is an `Estimate`."""

    def __init__(self, values: Values, subject: Subject) -> None:
        self.values, self.subject = values, subject

    def key(self, quantity: str) -> str | None:
        """Where the subject has a quantity; None if its results have none of that name."""
        at = self.subject.at
        return f"{at}/{quantity}" if isinstance(at, str) else at.get(quantity)

    def lists(self, quantity: str) -> bool:
        """True if the subject gives this quantity a key of its own."""
        return not isinstance(self.subject.at, str) and quantity in self.subject.at

    def source(self, quantity: str) -> str:
        """The key in results/metrics.json, roles filled in; "" for a quantity that the subject does not list."""
        key = self.key(quantity)
        return "" if key is None else self.values.expand(key)

    def __call__(self, quantity: str, over: Over = "one run") -> Estimate:
        """The subject's estimate of a quantity.

        A key K has its interval at K_low and K_high, or K is a mapping with `value`, `low`, `high` and maybe `n`.
        An absent key is recorded as missing; a quantity that a subject does not list is not defined.
        """
        key = self.key(quantity)
        return undefined(over) if key is None else self.at(key, over)

    def at(self, key: str, over: Over = "one run") -> Estimate:
        """The estimate at a key, whoever the subject is."""
        nested = f"{key}/value" in self.values
        value = self.values.get(f"{key}/value" if nested else key)
        source = self.values.expand(key)
        if over in WITHOUT_INTERVAL:
            return Estimate(*[None if value is None else float(value)] * 3, over, None, source)
        ends = [self.values.get(f"{key}/{end}" if nested else f"{key}_{end}") for end in ("low", "high")]
        n = self.values.get(f"{key}/n") if nested and f"{key}/n" in self.values else None
        return Estimate(value, *ends, over, n, source)

    def over_seeds(self, quantity: str) -> Estimate:
        """Mean of the numbers at all keys that fit a quantity with `*`, with Student's interval."""
        keys, source = self._matching(quantity)
        numbers = [self.values.get(key) for key in keys]
        if not numbers or None in numbers:
            return undefined("seeds", source)
        low, high = mean_interval(numbers)
        return Estimate(float(sum(numbers) / len(numbers)), low, high, "seeds", len(numbers), source)

    def smallest(self, quantity: str, over: Over = "one run") -> Estimate:
        """The smallest of the estimates at all keys that fit a quantity with `*`."""
        return self._extreme(quantity, over, "smallest")

    def largest(self, quantity: str, over: Over = "one run") -> Estimate:
        """The largest of them."""
        return self._extreme(quantity, over, "largest")

    def constant(self, key: str) -> float | None:
        """A number that is no subject's, such as a parameter of the experiment, for a bar."""
        return self.values.get(key)

    def _matching(self, quantity: str) -> tuple[list[str], str]:
        pattern = self.key(quantity)
        return ([], "") if pattern is None else (self.values.matching(pattern), self.values.expand(pattern))

    def _extreme(self, quantity: str, over: Over, which: Literal["smallest", "largest"]) -> Estimate:
        keys, _ = self._matching(quantity)
        return extreme([self.at(key, over) for key in keys], which)


Predicate = Callable[[Measured], list[Part]]


@dataclass(frozen=True)
class Claim:
    """One claim of a work."""

    id: str
    """Unique in the ledger."""
    sentence: str
    """The claim, in words."""
    work: str
    section: str
    chapter: Chapter
    """Chapter of the report that it is in."""
    published: tuple[Published, ...]
    """The work's own results."""
    subject: Subject | None = None
    """Ours; None for a claim that is not attempted."""
    controls: tuple[Control, ...] = ()
    """Each part is broken by at least one."""
    kind: Literal["claim", "check"] = "claim"
    """A check is one of ours: an identity, a known optimum or an order that an experiment must keep to be sound. It
    needs no control and is counted apart."""
    optional: str = ""
    """The part of a configuration that may be left out, in words: without its numbers the claim is not attempted."""
    explanation: str = ""
    """Printed only if the claim is not reproduced or undecided."""
    reason: str = ""
    """Why it is not attempted."""
    predicate: Predicate | None = None


def claim(**fields) -> Callable[[Predicate], Claim]:
    """Decorator: the claim of that predicate; its id is the function's name unless `id` is given."""

    def of_predicate(predicate: Predicate) -> Claim:
        named = {"id": predicate.__name__.replace("_", "-")} | fields
        return Claim(**named, predicate=predicate)

    return of_predicate


def claims_of(*modules) -> tuple[Claim, ...]:
    """All claims that the modules define, in the order of definition."""
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, Claim))
