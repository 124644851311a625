"""Is a configuration right? If not: one sentence with the key, what was expected, what was found, the nearest name.

Two steps: the schema (types, ranges, unknown keys), then what a schema cannot say (names that must exist, sites that a
model must have, numbers that must fit together). Imports neither torch nor transformers.
"""

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from scripts.monosem.workflow import sweeps
from scripts.monosem.workflow.checks import main_line
from scripts.monosem.workflow.checks.main_line import ConfigError

TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
# strict about 5.0 where a count is meant: Python's range() is, too
_INTEGER = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
Validator = extend(Draft202012Validator, type_checker=_INTEGER)


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
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return str(value)


def close(name: Any, names: Iterable[str]) -> str:
    """'; did you mean …?' with the nearest valid name, or nothing if none is near."""
    found = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def _type_hint(value: Any, wanted: list[str]) -> str:
    """How to write a number that YAML read as text: 1e-3 needs a point."""
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


def _sentence(error: ValidationError) -> str:
    """One sentence for one violation."""
    where, value, wanted = path_of(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            unknown = next(key for key in value if key not in known)
            hint = close(unknown, known) or f"; known are {', '.join(known)}"
            return f"{path_of([*error.absolute_path, str(unknown)])} is no known key{hint}"
        case "required":
            missing = next(key for key in wanted if key not in value)
            return f"{path_of([*error.absolute_path, missing])} is missing"
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            named = " or ".join(TYPES[kind] for kind in kinds)
            return f"{where}: expected {named}, found {show(value)}{_type_hint(value, kinds)}"
        case "enum":
            return f"{where}: expected one of {', '.join(wanted)}, found {show(value)}{close(value, wanted)}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
            return f"{where}: expected {words.get(error.validator, 'less than')} {wanted}, found {value}"
        case "minProperties" | "maxProperties":
            names = ", ".join(error.schema["properties"])
            return f"{where}: expected exactly one of {names}, found {', '.join(map(str, value)) or 'none'}"
        case "minItems":
            return f"{where}: expected at least {wanted} entries, found {len(value)}"
        case "uniqueItems":
            twice = next(item for item in value if value.count(item) > 1)
            return f"{where}: '{twice}' is there twice"
        case "propertyNames" | "pattern":
            return f"{where}: '{value}' is no name: use lower-case letters, digits, hyphens; a letter or digit first"
        case "minLength":
            return f"{where}: expected some text, found none"
    raise AssertionError(f"no words for '{error.validator}' of the schema")


def check_schema(config: Any, schema: dict[str, Any]) -> None:
    """Raise ConfigError about the first violation: unknown keys before values, outer keys before inner ones."""
    errors = Validator(schema).iter_errors(config)
    order = {"additionalProperties": 0, "required": 1}
    first = min(errors, key=lambda e: (order.get(e.validator, 2), list(map(str, e.absolute_path))), default=None)
    if first is not None:
        raise ConfigError(_sentence(first))


@cache
def read_schema(path: Path) -> dict[str, Any]:
    """The schema in a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def toy_schema(toy: dict[str, Any], schema: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """A schema in which each entry of `toy` has the form of its kind.

    Args:
        schema: rules/config.schema.yaml, whose definitions those of the kinds may use.
        kinds: rules/toy.schema.yaml.
    """
    known = list(kinds["properties"])
    for name, settings in toy.items():
        if settings is not None and settings["kind"] not in known:
            where, kind = f"toy.{name}.kind", settings["kind"]
            raise ConfigError(f"{where}: expected one of {', '.join(known)}, found {show(kind)}{close(kind, known)}")
    forms = {name: kinds["properties"][entry["kind"]] for name, entry in toy.items() if entry is not None}
    return {"$defs": schema["$defs"] | kinds["$defs"], "properties": {"toy": {"properties": forms}}}


def typed(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Values that Snakemake's --config left as text, as what YAML makes of them wherever no text is expected.

    Text that is wanted stays as it is, and so does what the schema does not know.
    """
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if isinstance(value, dict):
        others = schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        forms = schema.get("properties", {})
        return {key: typed(item, forms.get(key, others), definitions) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {}), definitions) for item in value]
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or ("string" in kinds and not ("null" in kinds and value in ("null", "~"))):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _texts(value: Any, where: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, f"{where}[{key}]" if isinstance(value, list) else f"{where}.{key}")
    elif isinstance(value, str):
        yield where.removeprefix("."), value


def _overlay_(config: dict[str, Any], given: dict[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _overlay_(config[key], value)
        else:
            config[key] = value


def type_command_line_(config: dict[str, Any], given: Mapping[str, Any], path_to_schema: Path) -> None:
    """Give what `--config` said its types, within `config`: Snakemake reads numbers inside mappings as text.

    Raises: ConfigError for text with a line break or backslash, which Snakemake does not hand on to its jobs unchanged.
    """
    for where, text in _texts(dict(given), ""):
        if "\n" in text or "\\" in text:
            raise ConfigError(f"{where}: text with line breaks or backslashes cannot be given by --config; use a file")
    schema, kinds = read_schema(path_to_schema), read_schema(path_to_schema.with_name("toy.schema.yaml"))
    made = {key: typed(value, schema["properties"].get(key, {}), schema["$defs"]) for key, value in given.items()}
    if isinstance(made.get("toy"), dict):
        known = {name: entry for name, entry in config["toy"].items() if isinstance(entry, dict) and "kind" in entry}
        form = toy_schema(known, schema, kinds)
        made["toy"] = typed(made["toy"], form["properties"]["toy"], form["$defs"])
    _overlay_(config, made)


def check(config: dict[str, Any], path_to_schema: Path) -> None:
    """Check a configuration by its schema and that of the toy experiments beside it, then for what fits together.

    Sweeps are written out in `config` on the way: what follows knows only runs.

    Raises: ConfigError, whose text is one sentence for the user.
    """
    schema, kinds = read_schema(path_to_schema), read_schema(path_to_schema.with_name("toy.schema.yaml"))
    check_schema(config, schema)
    check_schema(config, toy_schema(config["toy"], schema, kinds))
    sweeps.expand_(config)
    main_line.check(config)
