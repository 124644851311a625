"""The ledger on the results of the smoke run: every rule is in it, and no control can take the subject's place."""

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.documents import from_json
from scripts.monosem.reporting.ledger import claims, judge
from scripts.monosem.reporting.ledger.document import VERDICTS, Ledger
from scripts.monosem.reporting.values import Values
from scripts.monosem.workflow import plan, roles, sweeps
from tests.helpers import configuration, ledger_checks

NOT_IN_THE_SMOKE_RUN = {
    "superposition-in-larger-models", "phase-diagram-of-three", "first-order-transition-of-three",
    "end-of-superposition-of-three", "absolute-value-exact", "relu-recovers-sparse-combinations",
    "topk-recovers-sparse-combinations", "superposition-80-reaches-optima", "phases-of-three-are-exact",
    "recovery-band", "sharkey-band", "published-method-keeps-worth", "published-method-beyond-neurons",
    "seeds-beyond-neurons", "few-dead", "resampling", "auxk", "frontier", "numbers-beyond-the-token",
    "latex-beyond-the-token", "directive-beyond-the-token", "hexadecimal-beyond-the-token", "arabic-beyond-the-token",
    "hebrew-beyond-the-token", "dna-beyond-the-token", "base64-beyond-the-token", "massive-activations",
    "similar-words", "latents-across-sites", "mood-features", "mood-beyond-words",
}  # fmt: skip
"""Claims for which it has no experiment, run, text or analysis; one whose operand is misspelt would join them."""


def test_the_ledger_of_the_smoke_run(finished):
    results = finished / "results"
    table = artefacts.read_json(results / "metrics.json")
    ledger = from_json(Ledger, artefacts.read_json(results / "claims.json"))
    assert [row.id for row in ledger.claims] == [claim.id for claim in claims.ALL]
    not_attempted = {row.id for row in ledger.claims if row.verdict == "not attempted"}
    assert {claim.id for claim in claims.ALL if claim.predicate} & not_attempted == NOT_IN_THE_SMOKE_RUN
    counted = (ledger.counts, ledger.stand_in_counts, ledger.check_counts)
    assert sum(sum(counts.values()) for counts in counted) == len(claims.ALL)
    assert all(row.verdict in VERDICTS and bool(row.reason) == (row.verdict != "reproduced") for row in ledger.claims)
    assert {row.chapter for row in ledger.claims if row.stand_in} == {"language_model"}
    assert ledger_checks.rules_that_disagree(ledger, table) == []

    config = configuration.default("tests/smoke.yaml")
    sweeps.expand_(config)
    playing = roles.roles(config, plan.make_plan(config).language_model)
    assert judge.check_claims(claims.ALL, Values(table, playing), ["language_model"]) == ledger
    assert ledger_checks.reproduced_after_a_swap(claims.ALL, table, playing) == []
    permuted = judge.check_claims(claims.ALL, Values(ledger_checks.with_permuted_labels(table), playing))
    on_meaning = [row for row in permuted.claims if row.id.endswith(("-feature", "arabic", "hebrew", "dna", "base64"))]
    assert on_meaning and all(row.verdict != "reproduced" for row in on_meaning)
