"""A run beside the reference: what must be equal, what may differ, and what a difference does."""

import pytest

from scripts.monosem.reporting import agreement

ENVIRONMENT = {
    "hardware": {"cpu": "a processor", "cores": 2},
    "torch": {"device_name": "a processor", "version": "2"},
    "python": {"version": "3"},
    "git": {"commit": "0123"},
}


def run(numbers: dict, verdicts: dict, configuration: str = "same") -> dict:
    metrics = {key: {"value": value, "unit": "", "source": ""} for key, value in numbers.items()}
    claims = {"claims": [{"id": name, "verdict": verdict} for name, verdict in verdicts.items()]}
    return agreement.summary(metrics, claims, ENVIRONMENT, configuration)


NUMBERS = {"data/docs/manifest:n_documents": 10, "evaluation/a/fidelity:loss": 2.0, "sae/a/training:seconds": 5.0}
VERDICTS = {"a": "reproduced", "b": "undecided"}


def test_a_run_agrees_with_itself():
    found = agreement.compare(run(NUMBERS, VERDICTS), run(NUMBERS, VERDICTS))
    assert found.holds and not found.verdicts and not found.differences
    assert found.compared == {"exact": 1, "trained": 1, "machine": 1}


@pytest.mark.parametrize(
    "key, value, holds",
    [
        ("data/docs/manifest:n_documents", 11, False),  # other text
        ("evaluation/a/fidelity:loss", 2.3, True),  # 13 % of the larger
        ("evaluation/a/fidelity:loss", 2.4, False),
        ("sae/a/training:seconds", 500.0, True),
        ("evaluation/a/fidelity:loss", None, False),  # not defined any more
    ],
)
def test_a_number_is_judged_by_its_class(key, value, holds):
    found = agreement.compare(run(NUMBERS, VERDICTS), run(NUMBERS | {key: value}, VERDICTS))
    assert found.holds == holds and [each.key for each in found.differences] == [key] * (not holds)


def test_one_trained_number_of_many_may_differ_and_is_named_but_a_verdict_may_not():
    many = NUMBERS | {f"evaluation/a/fidelity:{n}": 1.0 for n in range(20)}
    found = agreement.compare(run(many, VERDICTS), run(many | {"evaluation/a/fidelity:3": 9.0}, VERDICTS))
    assert found.holds and [each.key for each in found.differences] == ["evaluation/a/fidelity:3"]
    found = agreement.compare(run(many, VERDICTS), run(many, VERDICTS | {"b": "reproduced"}))
    assert not found.holds and found.verdicts == [agreement.Verdict("b", "undecided", "reproduced")]


def test_claims_and_numbers_of_one_run_only_are_counted():
    found = agreement.compare(
        run(NUMBERS, VERDICTS), run({**NUMBERS, "evaluation/new:x": 1.0}, {"a": "reproduced"}, "other")
    )
    assert (found.only_reference, found.only_ours, found.same_configuration) == (0, 1, False)
    assert found.verdicts == [agreement.Verdict("b", "undecided", "absent")] and not found.holds
    text = "\n".join(agreement.lines(run(NUMBERS, VERDICTS), run(NUMBERS, VERDICTS), found))
    assert "b: undecided -> absent" in text and "does not confirm" in text


def test_a_run_outside_a_clone_has_no_commit():
    summary = agreement.summary({}, {"claims": []}, ENVIRONMENT | {"git": None}, "")
    assert summary["machine"]["commit"] is None and agreement.lines(
        summary, summary, agreement.compare(summary, summary)
    )
