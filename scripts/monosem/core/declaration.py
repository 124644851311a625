"""Frozen dataclasses as the one declaration of what may be configured; `from_params` builds one from YAML.

A field without a default is required, a default of None makes it optional, `Annotated` gives its range, the docstring
below it says what it means. In a mapping whose values may be None, null leaves an entry out. `workflow/schema.py`
derives a JSON schema from all this: it is apart, so that an edit there reruns no training.
"""

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Keyword:
    """A keyword of JSON schema that annotated_types has no word for; in the metadata of `Annotated`."""

    name: str
    """As JSON schema spells it."""
    value: Any
    """Its value, hashable."""


UNIQUE = Keyword("uniqueItems", True)
# names of files are made of several: of model, site and run
Name = Annotated[str, Keyword("pattern", r"^[a-z0-9][a-z0-9-]*\Z"), Keyword("maxLength", 64)]
"""A name that also serves in paths."""
Text = Annotated[str, MinLen(1)]
Count = Annotated[int, Ge(1)]
Whole = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
Weight = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
InnerShare = Annotated[float, Gt(0), Lt(1)]
Probability = Annotated[float, Gt(0), Le(1)]


@dataclasses.dataclass(frozen=True)
class PartOf:
    """Marks a mapping, `Annotated[dict[str, Any], PartOf(A, B)]`, as some of the fields of these dataclasses."""

    classes: tuple[type, ...]
    """Where the fields are declared."""
    required: tuple[str, ...]
    """Those that must be there all the same."""

    def __init__(self, *classes: type, required: Iterable[str] = ()):
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "required", tuple(required))


def nearest(name: Any, names: Iterable[str]) -> str:
    """'; did you mean …?' with the nearest valid name, or nothing if none is near."""
    close = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


@cache
def hints(cls: type) -> dict[str, Any]:
    """Type of every field of a dataclass, `Annotated` kept."""
    known = get_type_hints(cls, include_extras=True)
    return {field.name: known[field.name] for field in dataclasses.fields(cls) if field.init}


def required(cls: type) -> list[str]:
    """Fields without a default."""
    missing = dataclasses.MISSING
    fields = [field for field in dataclasses.fields(cls) if field.init]
    return [field.name for field in fields if field.default is missing and field.default_factory is missing]


def from_params(cls: type[T], params: Mapping[str, Any], where: str = "") -> T:
    """The dataclass that a mapping of YAML describes: mappings become nested dataclasses, lists become tuples.

    A `seed` is dropped where the class has none: it belongs to the job. Ranges are not checked: `schema` says them.

    Args:
        where: how to call the mapping in an error; the name of the class if not given.
    Raises: ValueError in one sentence for an unknown or missing key, or a value that is none of a Literal's.
    """
    known, where = hints(cls), where or cls.__name__
    params = {key: value for key, value in params.items() if key != "seed" or "seed" in known}
    if unknown := next((key for key in params if key not in known), None):
        hint = nearest(unknown, known) or f"; known are {', '.join(known)}"
        raise ValueError(f"{where}: unknown key '{unknown}'{hint}")
    if lacking := next((key for key in required(cls) if key not in params), None):
        raise ValueError(f"{where}: '{lacking}' is missing")
    return cls(**{key: _value(known[key], value, f"{where}.{key}") for key, value in params.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value of YAML as the type wants it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(arguments[0], value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        wanted = [argument for argument in arguments if argument is not type(None)]
        fitting = [argument for argument in wanted if (get_origin(argument) is tuple) == isinstance(value, list)]
        return _value((fitting or wanted)[0], value, where)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(map(str, arguments))
            raise ValueError(f"{where}: '{value}' is none of {choices}{nearest(value, map(str, arguments))}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        return tuple(_value(each, item, where) for each, item in zip(kinds, value, strict=True))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return from_params(kind, value, where)
    return value
