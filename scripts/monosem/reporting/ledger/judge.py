"""Verdicts: the same predicate on ours and on every control, compared by intervals."""

from collections.abc import Collection, Sequence

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.reporting.formats import FORMATS
from scripts.monosem.reporting.ledger.claim import Claim, Measured, Subject
from scripts.monosem.reporting.ledger.document import VERDICTS, ClaimRow, Ledger, PartRow, SubjectRow
from scripts.monosem.reporting.values import MissingValues, Values


def judge(claim: Claim, subject: Subject, breaks: Collection[str], values: Values) -> SubjectRow:
    """The claim's predicate on one subject.

    Raises: ArtefactError for parts of one name, an unknown format, or a name in `breaks` that no part has.
    """
    parts = claim.predicate(Measured(values, subject))
    names = [part.quantity for part in parts]
    if len(set(names)) != len(names):
        raise ArtefactError(f"claim '{claim.id}': two parts have one name: {names}")
    if unknown := sorted(set(breaks) - set(names)):
        raise ArtefactError(
            f"claim '{claim.id}': control '{subject.name}' is to break '{unknown[0]}', which is none of its parts: "
            + ", ".join(names)
        )
    if wrong := [part.format for part in parts if part.format not in FORMATS]:
        raise ArtefactError(f"claim '{claim.id}': unknown format '{wrong[0]}'; known are {', '.join(FORMATS)}")
    return SubjectRow(
        subject.name,
        tuple(
            PartRow(
                part.quantity, part.estimate, part.bar, part.format, part.bar.state(part.estimate),
                part.quantity in breaks,
            )
            for part in parts
        ),
    )  # fmt: skip


def verdict(ours: SubjectRow, controls: Sequence[SubjectRow], needs_controls: bool = True) -> tuple[str, str]:
    """The verdict and its reason.

    not reproduced: a part fails, or a control clears a part that it is to break. undecided: an interval contains its
    bar, a number is not defined, or no control is to break some part. reproduced: every part holds by its whole
    interval, and every control misses its parts by theirs.
    """
    failing = [part.quantity for part in ours.parts if part.state == "fails"]
    if failing:
        return "not reproduced", f"bar missed: {'; '.join(failing)}"
    named = [(control.name, part) for control in controls for part in control.parts if part.must_fail]
    passing = [f"{name} ({part.quantity})" for name, part in named if part.state == "holds"]
    if passing:
        return "not reproduced", f"a control passes too: {'; '.join(passing)}"
    absent = [part.quantity for part in ours.parts if not part.estimate.defined]
    absent += [f"{part.quantity} of {name}" for name, part in named if not part.estimate.defined]
    if absent:
        return "undecided", f"not defined: {'; '.join(absent)}"
    straddling = [part.quantity for part in ours.parts if part.state == "open"]
    straddling += [f"{part.quantity} of {name}" for name, part in named if part.state == "open"]
    if straddling:
        return "undecided", f"the interval contains the bar: {'; '.join(straddling)}"
    uncontrolled = [part.quantity for part in ours.parts if part.quantity not in {part.quantity for _, part in named}]
    if uncontrolled and needs_controls:
        return "undecided", f"no control: {'; '.join(uncontrolled)}"
    return "reproduced", ""


def check_claim(claim: Claim, values: Values, stand_ins: Collection[str] = ()) -> ClaimRow:
    """One claim with its verdict, and the compared numbers of ours and of each control.

    Args:
        stand_ins: chapters that run on a stand-in for the model that their works are about.
    """

    def row(result: tuple[str, str], ours: SubjectRow | None, controls: tuple[SubjectRow, ...]) -> ClaimRow:
        return ClaimRow(
            claim.id, claim.sentence, claim.work, claim.section, claim.chapter, claim.kind,
            claim.published, *result,
            claim.explanation, claim.chapter in stand_ins, ours, controls,
        )  # fmt: skip

    if claim.predicate is None:
        return row(("not attempted", claim.reason), None, ())
    before = set(values.missing)
    ours = judge(claim, claim.subject, (), values)
    controls = tuple(judge(claim, control.subject, control.breaks, values) for control in claim.controls)
    missing = values.missing - before
    if missing and claim.optional and not any(map(values.misspelt, missing)):
        values.missing -= missing
        return row(("not attempted", f"{claim.optional} is not in this configuration"), None, ())
    return row(verdict(ours, controls, claim.kind == "claim"), ours, controls)


def check_claims(claims: Sequence[Claim], values: Values, stand_ins: Collection[str] = ()) -> Ledger:
    """All claims with verdicts, and how many of each there are.

    Raises: ArtefactError for a duplicate id; MissingValues listing every key that a claim reads
    and no result has; of an optional claim, where one of them is misspelt.
    """
    ids = [claim.id for claim in claims]
    if repeated := sorted({each for each in ids if ids.count(each) > 1}):
        raise ArtefactError(f"claims of one id: {', '.join(repeated)}")
    rows = [check_claim(claim, values, stand_ins) for claim in claims]
    if values.missing:
        raise MissingValues(values.missing, values.table)

    def counts(kind: str, stand_in: bool) -> dict[str, int]:
        verdicts = [row.verdict for row in rows if (row.kind, row.stand_in) == (kind, stand_in)]
        return {name: verdicts.count(name) for name in VERDICTS}

    return Ledger(tuple(rows), counts("claim", False), counts("claim", True), counts("check", False))
