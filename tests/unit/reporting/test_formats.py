"""Numbers as text."""

from scripts.monosem.reporting import formats


def test_an_estimate_is_a_value_with_its_interval_where_it_has_one():
    row = {"value": 0.554, "low": 0.5, "high": 0.561, "n": 9}
    assert formats.estimate(row) == "0.55 [0.50, 0.56]"
    assert formats.estimate(row, formats.percent) == "55.4 % [50.0 %, 56.1 %]"
    assert formats.estimate(row, formats.number) == "0.554 [0.500, 0.561]"
    assert formats.estimate(row | {"low": None, "high": None}) == "0.55"
    assert formats.estimate({"value": None, "low": None, "high": None, "n": 0}) == "not defined"
