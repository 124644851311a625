"""A frozen dataclass is built from a mapping of YAML."""

import pytest

from scripts.monosem.core.declaration import from_params
from tests.helpers.declared import Experiment, Job, Levels

GRID = {"low": 0.5}


def test_mappings_become_dataclasses_and_lists_tuples():
    made = from_params(
        Experiment,
        {"grid": {"low": 1, "levels": 4}, "points": [3, 1], "site": ["a", "b"], "named": {"x": GRID, "y": None}},
    )
    assert made == Experiment(grid=Levels(1, 4), points=(3, 1), site=("a", "b"), named={"x": Levels(0.5, 3), "y": None})
    assert type(made.grid.low) is int, "numbers stay as they are"
    assert from_params(Experiment, {"grid": GRID, "points": [], "window": None, "site": "a"}).window is None
    assert from_params(Experiment, {"grid": GRID, "points": [], "window": GRID}).window == Levels(0.5)


def test_a_seed_is_dropped_where_the_class_has_none():
    assert from_params(Levels, {"low": 1, "seed": 3}) == Levels(1)
    assert from_params(Job, {"seed": 3, "sae": {"low": [1]}}) == Job(3, {"low": [1]})


@pytest.mark.parametrize(
    "params, sentence",
    [
        ({"grid": GRID, "points": [], "desing": "full"}, "Experiment: unknown key 'desing'; did you mean 'design'?"),
        ({"grid": {**GRID, "level": 2}, "points": []}, "Experiment.grid: unknown key 'level'; did you mean 'levels'?"),
        ({"grid": {**GRID, "zzz": 2}, "points": []}, "Experiment.grid: unknown key 'zzz'; known are low, levels"),
        ({"grid": GRID}, "Experiment: 'points' is missing"),
        (
            {"grid": GRID, "points": [], "design": "ful"},
            "Experiment.design: 'ful' is none of full, cross; did you mean 'full'?",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(params, sentence):
    with pytest.raises(ValueError) as caught:
        from_params(Experiment, params)
    assert str(caught.value) == sentence
    with pytest.raises(ValueError, match="^toy.a"):
        from_params(Experiment, params, "toy.a")
