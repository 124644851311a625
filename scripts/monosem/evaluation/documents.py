"""Result files as frozen dataclasses: to JSON and back. No torch.

A field marked FLAT is a dataclass whose keys are written among those of its owner. A field whose default is None is
left out where it is None; any other None is written as null.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from scripts.monosem.core import artefacts

T = TypeVar("T")
FLAT = {"flat": True}
"""Metadata of a field: `field(metadata=FLAT)`."""


@dataclass(frozen=True)
class Estimate:
    """A number of this run with its 95 % interval."""

    value: float | None
    """None where it is not defined."""
    low: float | None
    high: float | None
    n: int
    """Units, pairs or edges that it is taken over."""


def to_json(value: Any) -> Any:
    """The value as JSON holds it: dataclasses become mappings, tuples and arrays lists, numpy's numbers Python's."""
    if is_dataclass(value):
        document: dict[str, Any] = {}
        for each in fields(value):
            item = getattr(value, each.name)
            if item is not None or each.default is not None:
                document |= to_json(item) if each.metadata.get("flat") else {each.name: to_json(item)}
        return document
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return artefacts.plain(value)


def _without_none(kind: Any) -> Any:
    return next((each for each in get_args(kind) if each is not type(None)), kind)


def from_json(cls: type[T], document: Mapping[str, Any]) -> T:
    """The dataclass that a document describes; the inverse of `to_json`.

    Raises: ArtefactError for a key that is missing or that the dataclass does not have.
    """
    if unknown := set(document) - _keys(cls):
        raise artefacts.ArtefactError(f"{cls.__name__}: unknown key '{min(unknown)}'; the file is of another version")
    hints, given = get_type_hints(cls), {}
    for each in fields(cls):
        if each.metadata.get("flat"):
            part = _without_none(hints[each.name])
            keys = {key: item for key, item in document.items() if key in _keys(part)}
            given[each.name] = _value(part, keys) if keys else None
        elif each.name in document:
            given[each.name] = _value(hints[each.name], document[each.name])
        elif each.default is MISSING and each.default_factory is MISSING:
            raise artefacts.ArtefactError(f"{cls.__name__}: '{each.name}' is missing; the file is of another version")
    return cls(**given)


def _value(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None else _value(_without_none(kind), value)
    if origin is tuple:
        return tuple(_value(arguments[0], item) for item in value)
    if origin is dict:
        return {key: _value(arguments[1], item) for key, item in value.items()}
    return from_json(kind, value) if is_dataclass(kind) else value


def _keys(cls: type) -> set[str]:
    """Keys that a dataclass writes."""
    hints, keys = get_type_hints(cls), set()
    for each in fields(cls):
        keys |= _keys(_without_none(hints[each.name])) if each.metadata.get("flat") else {each.name}
    return keys
