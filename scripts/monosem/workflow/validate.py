"""Checks of a configuration; a mistake becomes one sentence: key, expected, found, nearest name.

Three steps: the files (no key twice), the schema (types, ranges, unknown keys), then what a schema cannot say (names
that must exist, sites that a model must have, numbers that must fit together). Imports neither torch nor transformers.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import fit, source
from scripts.monosem.workflow import sweeps
from scripts.monosem.workflow.checks import autoencoders, evaluation, models, toy
from scripts.monosem.workflow.checks.common import ConfigError
from scripts.monosem.workflow.declaration.configuration import configuration_schema
from scripts.monosem.workflow.schema import Schema
from scripts.monosem.workflow.sentences import first_violation

Config = dict[str, Any]


def check_files(paths: Iterable[str | Path]) -> None:
    """Refuse a YAML file that has a key twice in one mapping: the parser would silently take the second."""
    for path in map(Path, paths):
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except (OSError, yaml.YAMLError):
            continue  # Snakemake has words for it
        for key, first in _repeated_keys(root):
            line, before = key.start_mark.line + 1, first.start_mark.line + 1
            raise ConfigError(f"{path}, line {line}: the key '{key.value}' is there twice, first in line {before}")


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """(second, first) of every key that a mapping has twice."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key is not seen.setdefault(key.value, key):
                yield key, seen[key.value]
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)


def typed(value: Any, schema: Schema) -> Any:
    """Values that Snakemake's --config left as text, as what YAML makes of them wherever no text is expected.

    Text that is wanted stays as it is, and so does what the schema does not know.
    """
    if isinstance(value, dict):
        others, forms = schema.get("additionalProperties"), schema.get("properties", {})
        others = others if isinstance(others, dict) else {}
        return {key: typed(item, forms.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {})) for item in value]
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or ("string" in kinds and not ("null" in kinds and value in ("null", "~"))):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, f"{where}[{key}]" if isinstance(value, list) else f"{where}.{key}")
    elif isinstance(value, str):
        yield where.removeprefix("."), value


def _halves_of_characters(config: Config) -> Iterator[str]:
    """A sentence for every text that holds a lone surrogate, which YAML can write as an escape and UTF-8 cannot."""
    for where, text in _texts(config, ""):
        if any("\ud800" <= character <= "\udfff" for character in text):
            yield f"{where}: expected text, found half of a character in {text!a}; write the character itself"


def overlay_(config: Config, given: Config) -> None:
    """Put `given` over `config`: mappings are merged, everything else is replaced, as Snakemake does with its files."""
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            overlay_(config[key], value)
        else:
            config[key] = value


def type_command_line_(config: Config, given: Mapping[str, Any]) -> None:
    """Give what `--config` said its types, within `config`: Snakemake reads numbers inside mappings as text.

    Raises: ConfigError for text with a line break or backslash, which Snakemake does not hand on to its jobs unchanged.
    """
    for where, text in _texts(dict(given), ""):
        if "\n" in text or "\\" in text:
            raise ConfigError(f"{where}: text with line breaks or backslashes cannot be given by --config; use a file")
    overlay_(config, typed(dict(given), configuration_schema(config)))


def _expanded(value: Any) -> Any:
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~") else value


def expand_home_(config: Config) -> None:
    """Replace `~` at the start of every path that a configuration names."""
    sources = [entry["pretrained"] for entry in (*config["models"].values(), *config["sae"]["runs"].values())
               if "pretrained" in entry]  # fmt: skip
    for section, key in [
        (config["corpus"], "folder"),
        (config["analysis"], "words"),
        *((s, key) for s in sources for key in ("name", "gguf")),
    ]:
        if key in section:
            section[key] = _expanded(section[key])
    sets = config["prompts"]["sets"]
    sets.update({name: _expanded(path) for name, path in sets.items()})


def check(config: Config) -> None:
    """Check a configuration by its schema, then for what fits together.

    Sweeps are written out and `~` is expanded in `config` on the way.

    Raises: ConfigError, whose text is one sentence for the user.
    """
    if problem := first_violation(config, configuration_schema(config)):
        raise ConfigError(problem)
    for problem in _halves_of_characters(config):
        raise ConfigError(problem)
    expand_home_(config)
    for name in sweeps.taken_names(config):
        raise ConfigError(f"sae.runs.{name}: a sweep makes a run of this name; give it another one")
    sweeps.expand_(config)
    for rule in (*models.CHECKS, *autoencoders.CHECKS, *evaluation.CHECKS, *toy.CHECKS):
        for problem in rule(config):
            raise ConfigError(problem)


def check_models(config: Config, names: Iterable[str]) -> None:
    """Check that the files of pretrained models belong together: a second for a large tokenizer, so once in a run.

    Raises: ConfigError in one sentence.
    """
    for name in names:
        settings = config["models"][name]["pretrained"]
        try:
            fit.check(source.require(settings, f"models.{name}.pretrained"), settings.get("allow_pickle", False))
        except ArtefactError as error:
            raise ConfigError(f"models.{name}: {str(error).removeprefix(f'models.{name}: ')}") from None
