"""A finished run beside the reference run: the same verdicts, and numbers within the tolerance of their class.

The reference run is a few files under `paper/reference/`: its numbers, its verdicts, the machine it ran on, and the
digest of its configuration. Every number belongs to one class:

    exact     counts of text and tokens, settings, shapes: equal, or the runs did different things
    trained   whatever depends on the last digits of sums (losses, scores, latents): equal up to what another processor,
              thread count or seed moves
    machine   times, rates, memory: printed, never judged
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CLASSES: tuple[tuple[str, str], ...] = (
    ("machine", r"(^|[/:])(environment|benchmarks)|(_s|seconds|_per_s|bytes|_mib|gflops?)$"),
    ("exact", r"^data/|:parameters/|/parameters/|:(d_in|d_sae|k|n_layer|n_embd|n_tokens|n_positions|seed)$"),
    ("trained", r""),
)
"""Class of a number: the first whose pattern is in its key."""
RELATIVE, ABSOLUTE = 0.15, 0.03
"""A trained number agrees within this share of the larger of the two, or this difference. Both are wide: the precision
of one product moved the correlation of a latent with its context by 0.11. Verdicts are what has to agree."""
SHARE = 0.9
"""Of the trained numbers, so many have to agree: single latents and dead ends of a training differ between machines."""


@dataclass(frozen=True)
class Difference:
    """A number outside the tolerance of its class."""

    key: str
    """Of results/metrics.json."""
    kind: str
    """exact or trained."""
    reference: float | None
    """In the reference run; None if it has none."""
    ours: float | None
    """In this run; None if it has none."""


@dataclass(frozen=True)
class Verdict:
    """A claim that the two runs judge differently."""

    id: str
    """Of the claim."""
    reference: str
    """Verdict of the reference run; absent if it has no such claim."""
    ours: str
    """Verdict of this run."""


@dataclass(frozen=True)
class Agreement:
    """Two runs compared."""

    same_configuration: bool
    """False if the runs were asked for different things; verdicts may then differ, and numbers must."""
    n_claims: int
    """Claims that either run judges."""
    verdicts: list[Verdict]
    """Those judged differently."""
    compared: dict[str, int]
    """Class -> numbers that both runs have."""
    agreeing: dict[str, int]
    """Class -> of them, numbers within the tolerance; machine is not judged."""
    only_reference: int
    """Numbers that only the reference run has."""
    only_ours: int
    """Numbers that only this run has."""
    differences: list[Difference]
    """Numbers outside their tolerance, the largest relative difference first."""

    @property
    def holds(self) -> bool:
        """True if this run confirms the reference: verdicts, exact numbers, and nearly all trained ones."""
        trained = self.compared.get("trained", 0)
        enough = not trained or self.agreeing["trained"] >= SHARE * trained
        return not self.verdicts and enough and self.compared.get("exact", 0) == self.agreeing.get("exact", 0)


def class_of(key: str) -> str:
    """exact, trained or machine."""
    return next(name for name, pattern in CLASSES if re.search(pattern, key))


def agrees(kind: str, reference: float | None, ours: float | None) -> bool:
    """True if two numbers are equal as far as their class asks; an undefined number equals only another one."""
    if kind == "machine" or reference == ours:
        return True
    if kind == "exact" or reference is None or ours is None:
        return False
    return math.isclose(reference, ours, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _distance(difference: Difference) -> float:
    pair = (difference.reference, difference.ours)
    if None in pair:
        return math.inf
    largest = max(map(abs, pair))
    return abs(pair[0] - pair[1]) / largest if largest else 0.0


def compare(reference: Mapping[str, Any], ours: Mapping[str, Any]) -> Agreement:
    """A run beside the reference, each as `summary` makes it."""
    theirs, here = reference["numbers"], ours["numbers"]
    both = [key for key in theirs if key in here]
    compared, agreeing, differences = {}, {}, []
    for key in both:
        kind = class_of(key)
        compared[kind] = compared.get(kind, 0) + 1
        if agrees(kind, theirs[key], here[key]):
            agreeing[kind] = agreeing.get(kind, 0) + 1
        else:
            agreeing.setdefault(kind, 0)
            differences.append(Difference(key, kind, theirs[key], here[key]))
    claims = {**reference["verdicts"], **ours["verdicts"]}
    pairs = [(name, reference["verdicts"].get(name, "absent"), ours["verdicts"].get(name, "absent")) for name in claims]
    return Agreement(
        same_configuration=reference["configuration"] == ours["configuration"],
        n_claims=len(claims),
        verdicts=[Verdict(*pair) for pair in pairs if pair[1] != pair[2]],
        compared=compared,
        agreeing=agreeing,
        only_reference=len(theirs) - len(both),
        only_ours=len(here) - len(both),
        differences=sorted(differences, key=lambda each: (-_distance(each), each.key)),
    )


def summary(
    metrics: Mapping[str, Any], claims: Mapping[str, Any], environment: Mapping[str, Any], configuration: str
) -> dict:
    """The compared part of a run: {"configuration", "machine", "verdicts", "numbers"}; numbers have six digits."""
    numbers = {key: row["value"] for key, row in metrics.items()}
    return {
        "configuration": configuration,
        "machine": {
            "cpu": environment["hardware"]["cpu"],
            "cores": environment["hardware"]["cores"],
            "device": environment["torch"]["device_name"],
            "python": environment["python"]["version"],
            "torch": environment["torch"]["version"],
            "commit": (environment["git"] or {}).get("commit"),  # none outside a clone
        },
        "verdicts": {row["id"]: row["verdict"] for row in claims["claims"]},
        "numbers": {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in numbers.items()},
    }


def lines(reference: Mapping[str, Any], ours: Mapping[str, Any], agreement: Agreement, shown: int = 12) -> list[str]:
    """The comparison for a person, worst numbers first."""

    def machine(run: Mapping[str, Any]) -> str:
        return "{cpu}, {cores} cores, {device}, torch {torch}, Python {python}".format(**run["machine"])

    text = [f"reference: {machine(reference)}", f"this run:  {machine(ours)}"]
    if not agreement.same_configuration:
        text.append("The configurations differ, so that numbers and verdicts may.")
    text.append(f"verdicts: {agreement.n_claims - len(agreement.verdicts)} of {agreement.n_claims} are the same")
    text += [f"  {each.id}: {each.reference} -> {each.ours}" for each in agreement.verdicts]
    for kind in ("exact", "trained"):
        text.append(f"{kind} numbers: {agreement.agreeing.get(kind, 0):,} of {agreement.compared.get(kind, 0):,} agree")
    text.append(
        f"numbers of one run only: {agreement.only_reference:,} of the reference, {agreement.only_ours:,} of this one"
    )
    text += [f"  {each.kind} {each.key}: {each.reference} -> {each.ours}" for each in agreement.differences[:shown]]
    hidden = len(agreement.differences) - shown
    text += [f"  and {hidden:,} more"] if hidden > 0 else []
    return [
        *text,
        "This run confirms the reference." if agreement.holds else "This run does not confirm the reference.",
    ]


def to_json(agreement: Agreement) -> dict[str, Any]:
    """The comparison as results/agreement.json holds it."""
    return {**asdict(agreement), "holds": agreement.holds, "share": SHARE, "relative": RELATIVE, "absolute": ABSOLUTE}
