import numpy as np
import pytest

from scripts.monosem.toy import acceptance


@pytest.mark.parametrize(
    ("compare", "passed"),
    [
        (acceptance.at_least, [False, True, True]),
        (acceptance.at_most, [True, True, False]),
        (acceptance.above, [False, False, True]),
        (acceptance.below, [True, False, False]),
        (acceptance.equal, [False, True, False]),
    ],
)
def test_a_value_is_compared_with_its_bound(compare, passed):
    assert [compare(value, 1.0).passed for value in (0.5, 1.0, 2.0)] == passed


def test_an_undefined_value_passes_no_comparison():
    comparisons = (acceptance.at_least, acceptance.at_most, acceptance.above, acceptance.below, acceptance.equal)
    assert not any(compare(float("nan"), 0.0).passed for compare in comparisons)


def test_rules_as_json():
    rules = {"loss": acceptance.below(np.float64(0.5), 1), "count": acceptance.Rule([1, 2], 3, False)}
    assert acceptance.to_json(rules) == {
        "loss": {"value": 0.5, "bound": 1, "pass": True},
        "count": {"value": [1, 2], "bound": 3, "pass": False},
    }
    assert acceptance.to_json(rules)["loss"]["pass"] is True
