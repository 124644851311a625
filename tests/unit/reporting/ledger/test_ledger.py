"""The ledger on made results: permuted labels turn every verdict on meaning, a control takes no subject's place."""

import pytest

from scripts.monosem.reporting.ledger import claims, judge
from scripts.monosem.reporting.ledger.claim import Measured
from scripts.monosem.reporting.values import Values, collect
from scripts.monosem.workflow import outputs, plan, roles
from tests.helpers import ledger_checks, report_results

MEANING = ("arabic", "hebrew", "dna", "base64", "specificity")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("made-up")
    report_results.make(root / "results")
    made = plan.make_plan(report_results.CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        table = collect(path for path in outputs.results(report_results.CONFIG, made) if (root / path).exists())
    return table, roles.roles(report_results.CONFIG, made.language_model)


def on_meaning(table, playing) -> dict[str, str]:
    ledger = judge.check_claims(claims.ALL, Values(table, playing))
    return {row.id: row.verdict for row in ledger.claims if row.id.startswith(MEANING) or row.id.endswith(MEANING)}


def test_permuted_labels_turn_every_verdict_on_meaning(results):
    table, playing = results
    before, after = on_meaning(table, playing), on_meaning(ledger_checks.with_permuted_labels(table), playing)
    assert {"arabic-feature", "pinned-sampling-arabic", "ablated-arabic"} <= {
        name for name, verdict in before.items() if verdict == "reproduced"
    }
    assert [name for name, verdict in after.items() if verdict == "reproduced"] == []


def test_no_control_can_take_the_place_of_a_subject(results):
    assert ledger_checks.reproduced_after_a_swap(claims.ALL, *results) == []


def test_every_part_of_every_claim_is_broken_by_a_control(results):
    """Parts are named by the predicate, whatever the results are."""
    values = Values(*results)
    for each in claims.ALL:
        if each.predicate is None or each.kind == "check":
            continue
        parts = {part.quantity for part in each.predicate(Measured(values, each.subject))}
        assert parts == {quantity for control in each.controls for quantity in control.breaks}, each.id
