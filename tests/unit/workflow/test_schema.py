"""The schema of a frozen dataclass says what its type hints and docstrings say."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Lt

from scripts.monosem.workflow.schema import schema
from tests.helpers.declared import Experiment, Job, Levels

LEVELS = {
    "description": "A range.",
    "type": "object",
    "additionalProperties": False,
    "required": ["low"],
    "properties": {
        "low": {"description": "The first.", "type": "number", "exclusiveMinimum": 0},
        "levels": {"type": "integer", "minimum": 2, "exclusiveMaximum": 10, "default": 3},
    },
}


def test_schema_of_a_dataclass():
    assert schema(Levels) == LEVELS
    made = schema(Experiment)
    assert made["required"] == ["grid", "points"] and made["description"] == "An experiment."
    properties = made["properties"]
    assert properties["grid"] == {**LEVELS, "description": "Values."}
    assert properties["points"] == {
        "type": "array",
        "items": {"type": "integer", "minimum": 1},
        "minItems": 1,
        "uniqueItems": True,
    }
    assert properties["design"] == {"enum": ["full", "cross"], "default": "full"}
    assert properties["window"] == {**LEVELS, "description": "Where."}
    assert properties["site"] == {"type": ["string", "array"], "items": {"type": "string"}, "default": "all"}
    assert properties["named"] == {
        "description": "Others.",
        "type": "object",
        "additionalProperties": {**LEVELS, "type": ["object", "null"]},
        "propertyNames": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]*\Z", "maxLength": 64},
        "minProperties": 1,
        "maxProperties": 2,
    }


def test_schema_of_some_fields_of_several_dataclasses():
    made = schema(Job)["properties"]["sae"]
    assert made["description"] == "Some keys."
    assert made["required"] == ["low"] and not made["additionalProperties"]
    assert list(made["properties"]) == ["low", "levels", "grid", "points", "design", "window", "site", "named"]
    assert made["properties"]["window"]["type"] == ["object", "null"], "null takes a value back"
    assert "default" not in made["properties"]["levels"]


@dataclass(frozen=True)
class Choice:
    """Of one or none."""

    kind: Literal["a", "b"] | None
    share: Annotated[float, Ge(0), Lt(1)] | None


def test_null_is_a_choice_where_the_type_says_so():
    properties = schema(Choice)["properties"]
    assert properties["kind"] == {"enum": ["a", "b", None]}
    assert properties["share"] == {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 1}
