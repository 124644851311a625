"""Dataclasses become JSON and come back; a file of another shape is refused by key."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.evaluation.documents import FLAT, from_json, to_json


@dataclass(frozen=True)
class Part:
    a: float
    b: float | None


@dataclass(frozen=True)
class Extra:
    c: int


@dataclass(frozen=True)
class Whole:
    name: str
    part: Part = field(metadata=FLAT)
    parts: dict[str, tuple[Part, ...]]
    left_out: Extra | None = field(metadata=FLAT, default=None)
    note: str | None = None


DOCUMENT = {"name": "x", "a": 1.0, "b": None, "parts": {"p": [{"a": 2.0, "b": 3.0}]}}


def test_a_document_by_hand():
    whole = Whole("x", Part(1.0, None), {"p": (Part(2.0, 3.0),)})
    assert to_json(whole) == DOCUMENT and list(to_json(whole)) == list(DOCUMENT)
    assert from_json(Whole, DOCUMENT) == whole
    fuller = Whole("x", whole.part, {}, Extra(3), "y")
    assert to_json(fuller)["c"] == 3 and to_json(fuller)["note"] == "y"
    assert from_json(Whole, to_json(fuller)) == fuller
    assert to_json({"a": (np.float32(0.5), np.arange(2))}) == {"a": [0.5, [0, 1]]}


def test_a_file_of_another_shape_is_refused_by_key():
    with pytest.raises(ArtefactError, match="Whole: unknown key 'd'"):
        from_json(Whole, DOCUMENT | {"d": 1})
    with pytest.raises(ArtefactError, match="Whole: 'parts' is missing"):
        from_json(Whole, {key: value for key, value in DOCUMENT.items() if key != "parts"})


def test_a_field_with_a_default_may_be_missing_however_the_default_is_made():
    @dataclass(frozen=True)
    class Later:
        name: str
        more: dict[str, float] = field(default_factory=dict)

    assert from_json(Later, {"name": "x"}) == Later("x", {})
