"""Every number of a run in one flat table: `file:path/inside` -> value, unit, source."""

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.reporting import derived_values

NOT_NUMBERS = {"examples", "match_examples", "ranking", "top_tokens", "logit_weights", "by_interval"}
"""Parts of results that describe single units, or curves: cards and figures show them, and they are no numbers."""
NAMED_BY_CONFIGURATION = {"runs", "sweeps", "sets", "cases", "contexts", "peers"}
"""Parts of results whose keys a configuration chooses: none of them is a spelling of another."""

UNITS = (
    ("nats_per_token", "nats per token"),
    ("bits_per_character", "bits per character"),
    ("_bytes", "bytes"),
    ("bytes", "bytes"),
    ("_tokens", "tokens"),
    ("_nats", "nats"),
    ("_s", "s"),
    ("seconds", "s"),
    ("kl_div_score", ""),
    ("kl_div_with_sae", "nats"),
    ("kl_div_with_ablation", "nats"),
    ("ce_loss_score", ""),
    ("ce_loss_with_sae", "nats"),
    ("ce_loss_with_ablation", "nats"),
    ("ce_loss_without_sae", "nats"),
    ("l0", "latents per token"),
)
"""Ending of a key -> unit; the first that fits is taken."""


@dataclass(frozen=True)
class Value:
    """One number of the run."""

    value: float | int | bool | None
    """None if the quantity is not defined in this run."""
    unit: str
    """"" for shares, ratios and counts."""
    source: str
    """File that the number comes from."""


def unit_of(key: str) -> str:
    """Unit by the key's ending; "" for an ending without one."""
    name = key.rsplit("/", 1)[-1]
    return next((unit for ending, unit in UNITS if name.endswith(ending)), "")


def flatten(document: Any, prefix: str = "") -> dict[str, float | int | bool | None]:
    """Leaves of nested mappings that are numbers, truth values or null, with their path as key.

    Lists of mappings are entered by position; plain lists (curves, mean vectors) and text are left out: figures and
    tables read them from their files.
    """
    if isinstance(document, bool | int | float) or document is None:
        return {prefix: document}
    if isinstance(document, list):
        document = {i: item for i, item in enumerate(document)} if document and isinstance(document[0], dict) else {}
    if not isinstance(document, dict):
        return {}
    flat = {}
    for name, item in document.items():
        if name in NOT_NUMBERS:
            continue
        flat |= flatten(item, f"{prefix}/{name}" if prefix else str(name))
    return flat


def collect(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """All numbers of the given JSON results as `{key: {"value", "unit", "source"}}`, sorted by key."""
    table = {}
    for path in paths:
        document = artefacts.read_json(path)
        for name, value in flatten(document | derived_values.derive(Path(path).name, document)).items():
            key = f"{artefacts.key_prefix(path)}:{name}"
            table[key] = {
                "value": value,
                "unit": unit_of(key),
                "source": artefacts.RESULTS + artefacts.below_results(path),
            }
    return dict(sorted(table.items()))


def _is_slip(part: str, name: str) -> bool:
    """True for names of four letters or more that differ in at most two of them, digits aside."""
    if min(len(part), len(name)) < 4 or re.sub(r"\d", "", part) == re.sub(r"\d", "", name):
        return False
    changes = difflib.SequenceMatcher(None, part, name, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for what, i1, i2, j1, j2 in changes if what != "equal") <= 2


class MissingValues(KeyError):
    """Keys that no result has; the message lists all of them with the file each should come from."""

    def __init__(self, keys: Iterable[str], known: Iterable[str]) -> None:
        self.keys = sorted(set(keys))
        known = list(known)
        lines = [f"{len(self.keys)} value(s) are missing from results/metrics.json:"]
        for key in self.keys:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"; the nearest existing key: {nearest[0]}" if nearest else ""
            lines.append(f"  {key}  (should come from {artefacts.source_of(key)}{hint})")
        self.message = "\n".join(lines)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class Values:
    """Look-up in a table of values that records which keys were used and which were missing.

    `roles` are names for parts of keys, so that text never names a run: with `{"fidelity": "evaluation/m/s/fidelity"}`
    the key `{fidelity}:clean` is looked up as `evaluation/m/s/fidelity:clean`. A role that is None is left out of this
    configuration: its keys count as missing.
    """

    def __init__(self, table: Mapping[str, Mapping[str, Any]], roles: Mapping[str, str | None]) -> None:
        self.table = {key: Value(**row) for key, row in table.items()}
        self.roles = {name: f"(no {name})" if role is None else role for name, role in roles.items()}
        self.used: set[str] = set()
        self.missing: set[str] = set()

    def expand(self, key: str) -> str:
        """Fill the roles of a key. Raises KeyError naming an unknown role."""
        return key.format_map(self.roles)

    def __contains__(self, key: str) -> bool:
        return self.expand(key) in self.table

    def get(self, key: str) -> float | int | bool | None:
        """The number at a key; None for an absent key, which is recorded as missing."""
        key = self.expand(key)
        if key not in self.table:
            self.missing.add(key)
            return None
        self.used.add(key)
        return self.table[key].value

    def misspelt(self, key: str) -> bool:
        """True if a key fails at a part for which its file has a name that differs in a letter or two.

        A file that is not there, or a part that resembles none, is left out of a configuration instead.
        """
        file, _, path = key.partition(":")
        known = [each.removeprefix(f"{file}:").split("/") for each in self.table if each.startswith(f"{file}:")]
        parts = path.split("/")
        for depth, part in enumerate(parts):
            names = {each[depth] for each in known if len(each) > depth}
            known = [each for each in known if len(each) > depth and fnmatch.fnmatchcase(each[depth], part)]
            if not known:
                chosen = depth > 0 and parts[depth - 1] in NAMED_BY_CONFIGURATION
                return not chosen and any(_is_slip(part, name) for name in names)
        return False

    def minus(self, key: str, other: str) -> float | None:
        """Difference of two numbers; None where one is missing or undefined."""
        a, b = self.get(key), self.get(other)
        return None if a is None or b is None else a - b

    def matching(self, pattern: str) -> list[str]:
        """Keys that fit a pattern with `*`, in order; a pattern that fits none is recorded as missing."""
        pattern = self.expand(pattern)
        keys = [key for key in self.table if fnmatch.fnmatchcase(key, pattern)]
        if not keys:
            self.missing.add(pattern)
        return keys

    def unused(self) -> list[str]:
        """Keys that were never looked up."""
        return [key for key in self.table if key not in self.used]

    def require(self) -> None:
        """Raise MissingValues if any key that was looked up is absent."""
        if self.missing:
            raise MissingValues(self.missing, self.table)
