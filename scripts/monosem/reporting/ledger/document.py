"""Contents of claims.json."""

from dataclasses import dataclass, field

from scripts.monosem.evaluation.documents import FLAT
from scripts.monosem.reporting.ledger.claim import Published
from scripts.monosem.reporting.ledger.estimates import Bar, Estimate

VERDICTS = ("reproduced", "not reproduced", "undecided", "not attempted")


@dataclass(frozen=True)
class PartRow:
    """One part of a claim, judged on one subject."""

    quantity: str
    estimate: Estimate = field(metadata=FLAT)
    bar: Bar
    format: str
    state: str
    """holds, fails or open."""
    must_fail: bool
    """True if the subject is a control that is to break this part."""


@dataclass(frozen=True)
class SubjectRow:
    """A predicate on one subject."""

    name: str
    parts: tuple[PartRow, ...]


@dataclass(frozen=True)
class ClaimRow:
    """One claim with its verdict."""

    id: str
    sentence: str
    work: str
    section: str
    chapter: str
    kind: str
    """claim or check."""
    published: tuple[Published, ...]
    verdict: str
    """One of VERDICTS."""
    reason: str
    """Why it is not "reproduced", computed; "" if it is."""
    explanation: str
    stand_in: bool
    """True if it was judged on a stand-in for the model that the work is about."""
    ours: SubjectRow | None
    """None if it was not attempted."""
    controls: tuple[SubjectRow, ...]


@dataclass(frozen=True)
class Ledger:
    """claims.json."""

    claims: tuple[ClaimRow, ...]
    counts: dict[str, int]
    """Claims of each verdict, without those on stand-ins and without checks."""
    stand_in_counts: dict[str, int]
    """The same of claims on stand-ins."""
    check_counts: dict[str, int]
    """The same of checks."""
