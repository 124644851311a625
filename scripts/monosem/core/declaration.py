"""Frozen dataclasses as the one declaration of what may be configured: `from_params` builds one, `schema` describes it.

A field without a default is required. A default of None makes it optional; null is then no value for it, except
within `PartOf`, where a part that overlays another takes a value back with null. In a mapping whose values may be
None, null leaves an entry out.

`schema` walks the type hints itself. pydantic's TypeAdapter would need a configuration on every class (closed, with
docstrings), writes `X | None` as anyOf, for which there is no plain sentence, and costs 0.2 s in every call.
"""

import ast
import dataclasses
import difflib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import annotated_types

T = TypeVar("T")
Schema = dict[str, Any]
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
LENGTHS = {"array": "Items", "object": "Properties", "string": "Length"}


@dataclasses.dataclass(frozen=True)
class Keyword:
    """A keyword of JSON schema that annotated_types has no word for; in the metadata of `Annotated`."""

    name: str
    """As JSON schema spells it."""
    value: Any
    """Its value, hashable."""


UNIQUE = Keyword("uniqueItems", True)
Name = Annotated[str, Keyword("pattern", "^[a-z0-9][a-z0-9-]*$")]
"""A name that also serves in paths."""


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
    found = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


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


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class -> field -> attribute docstring, of a module's source."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(Path(sys.modules[module].__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            fields = found.setdefault(node.name, {})
            for field, text in pairwise(node.body):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    fields[field.target.id] = " ".join(str(text.value.value).split())
    return found


def schema(cls: type) -> Schema:
    """Closed JSON schema of a frozen dataclass: types, ranges, choices, defaults, and docstrings as descriptions."""
    forms = {name: _form(kind) for name, kind in hints(cls).items()}
    texts = _docstrings(cls.__module__).get(cls.__name__, {})
    for field in dataclasses.fields(cls):
        if field.name in texts:
            forms[field.name] = forms[field.name] | {"description": texts[field.name]}
        if field.default is None:
            forms[field.name] = _without_null(forms[field.name])
        elif field.default is not dataclasses.MISSING:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            forms[field.name] = forms[field.name] | {"default": default}
    return _mapping(forms, required(cls)) | {"description": (cls.__doc__ or "").splitlines()[0]}


def _mapping(forms: dict[str, Schema], wanted: Iterable[str]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": forms, "required": list(wanted)}


def _part(part: PartOf) -> Schema:
    """Schema of some fields of several dataclasses; what may be None can be null here."""
    whole = [(cls, schema(cls)["properties"]) for cls in part.classes]
    forms = {
        name: {key: value for key, value in (form | _form(hints(cls)[name])).items() if key != "default"}
        for cls, fields in whole
        for name, form in fields.items()
    }
    return _mapping(forms, part.required)


def _without_null(form: Schema) -> Schema:
    if "enum" in form:
        form = form | {"enum": [value for value in form["enum"] if value is not None]}
    if isinstance(form.get("type"), list):
        kinds = [kind for kind in form["type"] if kind != "null"]
        form = form | {"type": kinds[0] if len(kinds) == 1 else kinds}
    return form


def _form(kind: Any) -> Schema:
    """Schema of one type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        form = _form(arguments[0])
        for keywords in _keywords(arguments[1:], form):
            form = form | keywords
        return form
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union([_form(argument) for argument in arguments])
    if origin is tuple:
        length = {} if arguments[-1] is ... else {"minItems": len(arguments), "maxItems": len(arguments)}
        return {"type": "array", "items": _form(arguments[0])} | length
    if isinstance(origin, type) and issubclass(origin, Mapping):
        name = {key: value for key, value in _form(arguments[0]).items() if key != "type"}
        names = {"propertyNames": {"type": "string"} | name} if name else {}
        return {"type": "object", "additionalProperties": _form(arguments[1])} | names
    if dataclasses.is_dataclass(kind):
        return schema(kind)
    return {} if kind is Any else {"type": TYPES[kind]}


def _union(forms: list[Schema]) -> Schema:
    """Schema of what has one of several types: keywords concern one type each, so they can be said together."""
    if any("enum" in form for form in forms):  # a Literal or None
        return {"enum": [value for form in forms for value in form.get("enum", [None])]}
    merged = {key: value for form in forms for key, value in form.items()}
    return merged | {"type": [form["type"] for form in forms]}


def _keywords(metadata: Iterable[Any], form: Schema) -> Iterator[Schema]:
    """What the metadata of `Annotated` adds to a schema."""
    for item in metadata:
        if isinstance(item, annotated_types.GroupedMetadata):
            yield from _keywords(item, form)
        elif isinstance(item, PartOf):
            yield _part(item)
        elif isinstance(item, Keyword):
            yield {item.name: list(item.value) if isinstance(item.value, tuple) else item.value}
        elif isinstance(item, annotated_types.MinLen | annotated_types.MaxLen):
            low = isinstance(item, annotated_types.MinLen)
            noun = LENGTHS[form["type"] if isinstance(form["type"], str) else form["type"][0]]
            yield {f"{'min' if low else 'max'}{noun}": item.min_length if low else item.max_length}
        else:
            yield {BOUNDS[name]: getattr(item, name) for name in BOUNDS if hasattr(item, name)}
