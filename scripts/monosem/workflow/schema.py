"""JSON schema of a frozen dataclass, from its type hints and docstrings: what a configuration may hold.

Walks the type hints itself. pydantic's TypeAdapter would need a configuration on every class (closed, with
docstrings), writes `X | None` as anyOf, for which there is no plain sentence, and costs 0.2 s in every call.
"""

import ast
import dataclasses
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types

from scripts.monosem.core.declaration import Keyword, PartOf, hints, required

Schema = dict[str, Any]
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
LENGTHS = {"array": "Items", "object": "Properties", "string": "Length"}


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class -> field -> attribute docstring, of a module's source."""
    documented: dict[str, dict[str, str]] = {}
    for node in ast.parse(Path(sys.modules[module].__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            fields = documented.setdefault(node.name, {})
            for field, text in pairwise(node.body):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    fields[field.target.id] = " ".join(str(text.value.value).split())
    return documented


def schema(cls: type) -> Schema:
    """Closed JSON schema of a frozen dataclass: types, ranges, choices, defaults, and docstrings as descriptions.

    A field whose default is None is optional, and null is no value for it, except within `PartOf`: there a part
    overlays another, and null takes a value back.
    """
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
    kinds = [form["type"] for form in forms]
    kinds = [kind for kind in kinds if kind != "integer" or "number" not in kinds]
    return merged | {"type": kinds if len(kinds) > 1 else kinds[0]}


def _keywords(metadata: Iterable[Any], form: Schema) -> Iterator[Schema]:
    """Keywords that the metadata of `Annotated` adds to a schema."""
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
