"""A violation of a schema in one sentence: the key's path, what was expected and found, the nearest valid name."""

import math
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from scripts.monosem.core.declaration import nearest

TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "exclusiveMaximum": "less than"}
# strict about 5.0 where a count is meant: Python's range() is, too; .nan and .inf of YAML are in every range or none
_STRICT = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "integer": lambda _, value: type(value) is int,
        "number": lambda _, value: type(value) in (int, float) and math.isfinite(value),
    }
)
Validator = extend(Draft202012Validator, type_checker=_STRICT)


def path_of(parts: Iterable[str | int]) -> str:
    """['sae', 'use', 0, 'runs'] -> 'sae.use[0].runs'."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def show(value: Any) -> str:
    """A value as a person would name it, with its kind where that is what is wrong."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return str(value)


def number_hint(value: Any, wanted: Iterable[str]) -> str:
    """'; write …' for a number that YAML read as text: 1e-3 needs a point."""
    if not isinstance(value, str) or not {"number", "integer"} & set(wanted):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    if "number" not in wanted and number.is_integer():
        return f"; write {int(number)}"
    mantissa, _, exponent = value.lower().partition("e")
    if not exponent:
        return f"; write {value} without quotes"
    point = mantissa if "." in mantissa else f"{mantissa}.0"
    sign = "" if exponent[0] in "+-" else "+"
    return f"; YAML reads that as text, write {point}e{sign}{exponent}"


def _unknown_key(parents: Iterable[str | int], key: str, known: Iterable[str]) -> str:
    hint = nearest(key, known) or f"; known are {', '.join(known)}"
    return f"{path_of([*parents, str(key)])} is no known key{hint}"


def _concerns_key(error: ValidationError) -> bool:
    """True for a violation by a key itself, not by the value under it."""
    return error.validator == "additionalProperties" or "propertyNames" in error.absolute_schema_path


def sentence(error: ValidationError) -> str:
    """One sentence for one violation."""
    where, value, wanted = path_of(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            return _unknown_key(error.absolute_path, next(key for key in value if key not in known), known)
        case "required":
            missing = next(key for key in wanted if key not in value)
            hint = nearest(missing, [str(key) for key in value if key not in error.schema.get("properties", {})])
            return f"{path_of([*error.absolute_path, missing])} is missing{hint.replace('did you mean', 'is it')}"
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            named = " or ".join(TYPES[kind] for kind in kinds)
            return f"{where}: expected {named}, found {show(value)}{number_hint(value, kinds)}"
        case "enum" if _concerns_key(error):
            return _unknown_key(error.absolute_path, value, wanted)
        case "enum":
            return f"{where}: expected one of {', '.join(wanted)}, found {show(value)}{nearest(value, wanted)}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"{where}: expected {BOUNDS[error.validator]} {wanted}, found {value}"
        case "minProperties" | "maxProperties" if "maxProperties" in error.schema:
            names = ", ".join(error.schema["properties"])
            return f"{where}: expected exactly one of {names}, found {', '.join(map(str, value)) or 'none'}"
        case "minItems" | "minProperties":
            return f"{where}: expected at least {wanted} entries, found {len(value)}"
        case "maxItems":
            return f"{where}: expected at most {wanted} entries, found {len(value)}"
        case "uniqueItems":
            twice = next(item for item in value if value.count(item) > 1)
            return f"{where}: '{twice}' is there twice"
        case "pattern":
            return f"{where}: {value!r} is no name: use lower-case letters, digits, hyphens; a letter or digit first"
        case "maxLength":
            return f"{where}: '{value[:20]}…' has {len(value)} characters, expected at most {wanted}"
        case "minLength":
            return f"{where}: expected some text, found none"
    raise AssertionError(f"no words for '{error.validator}' of the schema")


def first_violation(config: Any, schema: dict[str, Any]) -> str | None:
    """Sentence about one violation, unknown keys before values, outer keys before inner ones; None if there is none."""

    def order(error: ValidationError) -> tuple[int, list[str]]:
        rank = 0 if _concerns_key(error) else 1 if error.validator == "required" else 2
        return rank, list(map(str, error.absolute_path))

    first = min(Validator(schema).iter_errors(config), key=order, default=None)
    return None if first is None else sentence(first)
