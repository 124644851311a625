"""Checks of the files that a configuration names: prompts and groups of words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: str) -> tuple[Any, str | None]:
    """Contents of a YAML file, or a sentence about why there are none."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), None
    except OSError:
        return None, f"'{path}' cannot be read; expected a YAML file, its path from the folder of the Snakefile"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, f"'{path}' is not YAML ({str(error).splitlines()[0]})"


FEWEST_PROMPTS = 8


def prompts(sets: dict[str, str], baseline: str) -> Iterator[str]:
    """Files of prompts: lists of text, long enough for two halves."""
    if baseline not in sets:
        yield f"prompts.baseline: expected one of prompts.sets ({', '.join(sets)}), found '{baseline}'"
    for name, path in sets.items():
        lines, problem = read_yaml(path)
        where = f"prompts.sets.{name}"
        if problem:
            yield f"{where}: {problem}"
        elif not (isinstance(lines, list) and all(isinstance(line, str) and line.strip() for line in lines)):
            yield f"{where}: '{path}' should be a list of texts (quote a prompt that holds a colon)"
        elif len(lines) < FEWEST_PROMPTS:
            yield f"{where}: '{path}' has {len(lines)} prompts, at least {FEWEST_PROMPTS} are needed for two halves"


def words(path: str) -> Iterator[str]:
    """Groups of words: a list of lists of text."""
    groups, problem = read_yaml(path)
    if problem:
        yield f"analysis.words: {problem}"
        return
    good = isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(word, str) for word in group) for group in groups
    )
    if not good:
        yield f"analysis.words: '{path}' should be a list of lists of words (quote words such as yes, no, on)"
        return
    listed = [word for group in groups for word in group]
    twice = next((word for word in listed if listed.count(word) > 1), None)
    if twice:
        yield f"analysis.words: '{path}' has the word '{twice}' twice; each word can be in one group"
