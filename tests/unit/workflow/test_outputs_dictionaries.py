"""Parts of the comparison of dictionaries follow from the configuration."""

import copy

import pytest

from scripts.monosem.workflow import outputs_dictionaries
from tests.helpers import report_results

ALL = ["universality", "splitting", "automata"]


def test_every_part_has_its_result_and_role():
    assert outputs_dictionaries.parts(report_results.CONFIG) == ALL
    place = f"analysis/first/{report_results.SITE}/wide"
    assert outputs_dictionaries.roles(report_results.CONFIG) == {part: f"{place}/{part}" for part in ALL}
    assert outputs_dictionaries.others(report_results.CONFIG) == {"second": "other", "control": "permuted"}


@pytest.mark.parametrize(
    "change, parts",
    [
        (lambda config: config["dictionaries"].update(narrower=[]), ["universality", "automata"]),
        (lambda config: config["chapters"]["one_layer"].pop("second"), ["splitting", "automata"]),
        (lambda config: config["evaluation"]["headline"].update(run="narrow"), ["splitting", "automata"]),
        (lambda config: config["evaluation"]["headline"].update(site="blocks.0.mlp.hook_pre"), ["splitting"]),
        (lambda config: config["evaluation"]["headline"].update(site="some.module"), ["splitting"]),
    ],
)
def test_a_part_without_its_input_is_left_out(change, parts):
    config = copy.deepcopy(report_results.CONFIG)
    change(config)
    assert outputs_dictionaries.parts(config) == parts
    assert [part for part, place in outputs_dictionaries.roles(config).items() if place] == parts
