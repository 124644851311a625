"""Properties of a ledger that any run's results must show."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from scripts.monosem.reporting.ledger.claim import Claim, Control
from scripts.monosem.reporting.ledger.document import Ledger
from scripts.monosem.reporting.ledger.judge import check_claim
from scripts.monosem.reporting.values import Values

RULE = re.compile(r"toy/[\w.-]+/result:acceptance/\w+")


def rules_that_disagree(ledger: Ledger, table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Acceptance rules of toy experiments that no part of the ledger reads, or whose verdict no such part repeats.

    A rule about a control passes where the control's part fails.
    """
    verdicts: dict[str, set[bool]] = {}
    for row in ledger.claims:
        for subject in (row.ours, *row.controls) if row.ours else ():
            for part in subject.parts:
                for rule in RULE.findall(part.estimate.source):
                    passed = part.state == ("holds" if subject is row.ours else "fails")
                    verdicts.setdefault(rule, set()).add(passed)
    rules = {match.group(): row["value"] for key, row in table.items() if (match := RULE.match(key)) and "/pass" in key}
    return sorted(rule for rule, passed in rules.items() if bool(passed) not in verdicts.get(rule, set()))


def reproduced_after_a_swap(claims: Iterable[Claim], table: Mapping[str, Any], roles: Mapping[str, Any]) -> list[str]:
    """Reproduced claims of which a control, in the subject's place, is reproduced as well."""
    kept, values = [], Values(table, roles)
    for claim in claims:
        if claim.predicate is None or check_claim(claim, values).verdict != "reproduced":
            continue
        for control in claim.controls:
            swapped = replace(claim, subject=control.subject, controls=(Control(claim.subject, control.breaks),))
            if check_claim(swapped, values).verdict != "not reproduced":
                kept.append(f"{claim.id}: {control.subject.name}")
    return kept


def with_permuted_labels(table: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a run in which every context's unit was chosen on permuted labels, and pinned without effect."""
    changed = dict(table)
    for key in table:
        for ours, permuted in (
            ("/latent/", "/controls/shuffled_labels/"), (":summary/latent/", ":summary/shuffled_labels/"),
            ("/at_maximum/", "/unpinned/"),
            ("/ablation/context/", "/ablation/random_largest/"),
        ):  # fmt: skip
            if ours in key and (other := key.replace(ours, permuted)) in table:
                changed[key] = table[other]
    return changed
