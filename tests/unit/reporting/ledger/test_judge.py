"""A verdict is computed from intervals, by the same predicate on ours and on every control."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.core.artefacts import ArtefactError, source_of
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.reporting.ledger import claims
from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, printed
from scripts.monosem.reporting.ledger.document import Ledger
from scripts.monosem.reporting.ledger.estimates import (
    Bar,
    Estimate,
    above,
    at_least,
    at_most,
    below,
    between,
    exactly,
    extreme,
    minus,
    proportion,
    ratio,
    scaled,
)
from scripts.monosem.reporting.ledger.judge import check_claim, check_claims
from scripts.monosem.reporting.values import MissingValues, Values

ROLES = {"scores": "evaluation/m/scores"}
OURS, OTHER = Subject("ours", "{scores}:ours"), Subject("other", "{scores}:other")


def make_values(**subjects: tuple[float | None, float | None, float | None]) -> Values:
    """Values that have `{subject}/x` with its interval."""
    numbers = {
        f"evaluation/m/scores:{subject}/x{end}": number
        for subject, triple in subjects.items()
        for end, number in zip(("", "_low", "_high"), triple, strict=True)
    }
    return Values({key: {"value": v, "unit": "", "source": source_of(key)} for key, v in numbers.items()}, ROLES)


CLAIM = {
    "id": "a", "sentence": "s", "work": "w", "section": "s", "chapter": "one_layer",
    "published": (printed("x", 0.5),),
}  # fmt: skip


def make_claim(**changes) -> Claim:
    """x is at least 0.5, and the other's is not."""

    @claim(**CLAIM | {"subject": OURS, "controls": (Control(OTHER, ("x",)),)} | changes)
    def predicate(of: Measured) -> list[Part]:
        return [Part("x", of("x", "documents"), at_least(0.5))]

    return predicate


GOOD, BAD, BETWEEN, NONE = (0.8, 0.7, 0.9), (0.2, 0.1, 0.3), (0.5, 0.4, 0.6), (None, None, None)


@pytest.mark.parametrize(
    "ours, other, verdict, reason",
    [
        (GOOD, BAD, "reproduced", ""),
        (BAD, BAD, "not reproduced", "bar missed: x"),
        (GOOD, GOOD, "not reproduced", "a control passes too: other (x)"),
        (BETWEEN, BAD, "undecided", "the interval contains the bar: x"),
        (GOOD, BETWEEN, "undecided", "the interval contains the bar: x of other"),
        (BAD, BETWEEN, "not reproduced", "bar missed: x"),
        (NONE, BAD, "undecided", "not defined: x"),
        (GOOD, NONE, "undecided", "not defined: x of other"),
    ],
)
def test_the_verdict_follows_from_the_intervals(ours, other, verdict, reason):
    row = check_claim(make_claim(), make_values(ours=ours, other=other))
    assert (row.verdict, row.reason) == (verdict, reason)


def test_ours_and_a_control_change_places():
    """The predicate never learns whose numbers it reads."""
    values = make_values(ours=GOOD, other=BAD)
    turned = make_claim(subject=OTHER, controls=(Control(OURS, ("x",)),))
    ours, swapped = check_claim(make_claim(), values), check_claim(turned, values)
    assert swapped.verdict == "not reproduced"
    assert [part.estimate for part in swapped.ours.parts] == [part.estimate for part in ours.controls[0].parts]
    assert [part.bar for part in swapped.ours.parts] == [part.bar for part in ours.controls[0].parts]


def test_a_part_without_a_control_is_undecided_unless_it_is_a_check():
    alone = make_claim(controls=())
    assert check_claim(alone, make_values(ours=GOOD)).reason == "no control: x"
    assert check_claim(make_claim(controls=(), kind="check"), make_values(ours=GOOD)).verdict == "reproduced"


def test_a_control_that_breaks_a_part_of_another_name_is_refused():
    with pytest.raises(ArtefactError, match="'y', which is none of its parts: x"):
        check_claim(make_claim(controls=(Control(OTHER, ("y",)),)), make_values(ours=GOOD, other=BAD))


def test_stand_ins_and_checks_are_counted_apart():
    rows = [make_claim(), make_claim(id="b", chapter="language_model"), make_claim(id="c", kind="check", controls=())]
    ledger = check_claims(rows, make_values(ours=GOOD, other=BAD), stand_ins=["language_model"])
    assert [counts["reproduced"] for counts in (ledger.counts, ledger.stand_in_counts, ledger.check_counts)] == [
        1,
        1,
        1,
    ]
    assert from_json(Ledger, to_json(ledger)) == ledger


def test_missing_values_are_listed_at_once_with_their_files():
    with pytest.raises(MissingValues) as error:
        check_claims([make_claim()], make_values(other=BAD))
    assert "3 value(s)" in str(error.value) and "results/evaluation/m/scores.json" in str(error.value)


def test_an_optional_claim_without_its_values_is_not_attempted():
    values = make_values(other=BAD)
    row = check_claims([make_claim(optional="a second width")], values).claims[0]
    assert row.verdict == "not attempted" and "a second width" in row.reason and not values.missing


@pytest.mark.parametrize("at, misspelt", [
    ("{scores}:ours", "xx"),  # an operand
    ("{scores}:orus", "x"),  # a part of its path
])  # fmt: skip
def test_a_misspelt_operand_of_an_optional_claim_is_an_error(at, misspelt):
    @claim(**CLAIM | {"subject": Subject("ours", at), "optional": "a second width"})
    def predicate(of: Measured) -> list[Part]:
        return [Part("quantity", of(f"quantity_{misspelt}"), at_least(0.5))]

    values = Values(
        {
            f"evaluation/m/scores:{subject}/quantity_x": {"value": 1.0, "unit": "", "source": ""}
            for subject in ("ours", "other")
        },
        ROLES,
    )
    with pytest.raises(MissingValues, match="the nearest existing key: evaluation/m/scores:ours/quantity_x"):
        check_claims([predicate], values)


@pytest.mark.parametrize("lacking, present", [
    ("topk_matched_share", "relu_matched_share"),
    ("relu_band_ends", "jumprelu_band_ends"),
    ("step_3", "step_0"),
    ("l0", "l1"),
])  # fmt: skip
def test_a_name_that_resembles_another_by_its_ending_is_no_misspelling(lacking, present):
    values = Values({f"evaluation/m/scores:ours/{present}": {"value": 1.0, "unit": "", "source": ""}}, ROLES)
    assert not values.misspelt(f"evaluation/m/scores:ours/{lacking}")
    assert values.misspelt(f"evaluation/m/scores:orus/{present}")


@pytest.mark.parametrize("at", ["(no scores):ours", "{scores}:frontier", "{scores}:runs/topk-25"])
def test_an_absent_file_part_or_run_of_an_optional_claim_is_not_attempted(at):
    values = make_values(**{"runs/topk-256": GOOD, "other": BAD})
    row = check_claims([make_claim(optional="a second width", subject=Subject("ours", at))], values).claims[0]
    assert row.verdict == "not attempted" and not values.missing


def test_duplicate_ids_are_refused():
    with pytest.raises(ArtefactError, match="one id: a"):
        check_claims([make_claim(), make_claim()], make_values(ours=GOOD, other=BAD))


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-10, 10))
def test_opposite_bars_are_complementary(a, b, bar):
    estimate = Estimate((a + b) / 2, min(a, b), max(a, b), "documents")
    opposite = {"holds": "fails", "fails": "holds", "open": "open"}
    assert below(bar).state(estimate) == opposite[at_least(bar).state(estimate)]
    assert at_most(bar).state(estimate) == opposite[above(bar).state(estimate)]


def test_what_is_not_defined_clears_and_misses_no_bar():
    for sign in ("≥", "≤", ">", "<"):
        assert Bar(sign, 0.0).state(Estimate(None, None, None, "seeds")) == "open"
        assert Bar(sign, None).state(exactly(1.0)) == "open"


def test_operations_keep_the_interval():
    a, b = Estimate(3.0, 2.0, 4.0, "units"), Estimate(1.0, 0.5, 2.0, "units")
    assert (minus(a, b).low, minus(a, b).value, minus(a, b).high) == (0.0, 2.0, 3.5)
    assert (ratio(a, b).low, ratio(a, b).value, ratio(a, b).high) == (1.0, 3.0, 8.0)
    assert not ratio(a, Estimate(1.0, 0.0, 2.0, "units")).defined
    assert not minus(a, Estimate(None, None, None, "units")).defined
    assert extreme([a, b], "smallest") == b and extreme([a, b], "largest") == a


def test_a_proportion_has_wilsons_interval():
    """5 of 10: (0.237, 0.763)."""
    made = proportion(Estimate(0.5, 0.5, 0.5, "one run"), 10, "units")
    assert (made.low, made.high, made.n) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4), 10)


def test_between_two_runs_the_ends_are_linear_too():
    a, b = Estimate(1.0, 0.0, 2.0, "documents"), Estimate(3.0, 2.0, 6.0, "documents")
    middle = between(a, b, 0.0, 2.0, 1.0)
    assert (middle.low, middle.value, middle.high) == (1.0, 2.0, 4.0)
    assert not between(a, b, 0.0, 2.0, 2.1).defined and not between(a, b, 0.0, None, 1.0).defined
    assert scaled(a, 0.5).high == 1.0


def test_intervals_are_read_in_both_forms_and_over_seeds():
    table = {"s:a/x": 2.0, "s:a/x_low": 1.0, "s:a/x_high": 3.0, "s:b/x/value": 2.0, "s:b/x/low": 1.0, "s:b/x/high": 3.0}
    table |= {"s:b/x/n": 7, "s:seeds/0/x": 1.0, "s:seeds/1/x": 3.0}
    values = Values({key: {"value": v, "unit": "", "source": ""} for key, v in table.items()}, {})
    flat, nested = (Measured(values, Subject("", f"s:{name}"))("x", "units") for name in "ab")
    assert (flat.value, flat.low, flat.high, flat.n) == (2.0, 1.0, 3.0, None)
    assert (nested.value, nested.low, nested.high, nested.n) == (2.0, 1.0, 3.0, 7)
    seeds = Measured(values, Subject("", "s:seeds")).over_seeds("*/x")
    assert seeds.value == 2.0 and seeds.low == pytest.approx(2 - 12.706, abs=1e-3) and seeds.n == 2
    listed = Measured(values, Subject("", {"y": "s:seeds/*/x"}))
    assert not listed("z").defined and not values.missing


def test_the_claims_are_sound():
    ids = [each.id for each in claims.ALL]
    assert len(set(ids)) == len(ids) > 60
    for each in claims.ALL:
        assert (each.predicate is None) == bool(each.reason), each.id
        assert each.published or each.kind == "check", each.id


def test_every_claim_says_where_its_published_value_is_from():
    """Printed in the work, derived from what it prints, or in words, which alone have no number."""
    for each in claims.ALL:
        for published in each.published:
            assert published.origin in ("printed", "derived", "in words"), each.id
            assert (published.value is None) == (published.origin == "in words"), each.id
            assert published.note or published.origin != "derived", f"{each.id}: derived from what?"
