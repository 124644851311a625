"""Tables of what a run was made of: corpus, versions and hardware, times, facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.core.timing import RuleTime
from scripts.monosem.reporting.formats import cell, code, count, fixed, number, percent, table


def sources(manifest: Mapping[str, Any]) -> str:
    """Documents and characters of the corpus by source."""
    rows = sorted(manifest["sources"].items(), key=lambda item: -item[1]["characters"])
    return table(
        ["source", "documents", "characters", "share"],
        [[code(name), count(r["documents"]), count(r["characters"]), percent(r["share"])] for name, r in rows],
    )


def splits(manifest: Mapping[str, Any]) -> str:
    """Documents and characters of the corpus by split."""
    rows = manifest["splits"].items()
    return table(
        ["split", "documents", "characters", "of them labelled"],
        [
            [name, *(count(row[key]) for key in ("documents", "characters", "labelled_characters"))]
            for name, row in rows
        ],
    )


def left_out(manifest: Mapping[str, Any]) -> str:
    """Texts that are not in the corpus, by reason."""
    return table(
        ["left out", "texts", "characters"],
        [[cell(r["reason"]), count(r["texts"]), count(r["characters"])] for r in manifest["left_out"]],
    )


def environment(document: Mapping[str, Any]) -> str:
    """Versions, hardware and commit, one line each; nested facts with their path, packages on one line."""
    lines = []

    def add(name: str, value: Any) -> None:
        if name == "packages":
            lines.append([name, ", ".join(f"{package} {version}" for package, version in value.items())])
        elif isinstance(value, Mapping):
            for key, item in value.items():
                add(f"{name} {key}".strip(), item)
        else:
            items = value if isinstance(value, list) else [value]
            words = [
                " ".join(map(str, i.values())) if isinstance(i, Mapping) else str(i) for i in items if i is not None
            ]
            lines.append([cell(name.replace("_", " ")), code(", ".join(words)) or "–"])

    add("", document)
    return table(["", ""], lines, "ll")


def times(rows: Sequence[RuleTime]) -> str:
    """Wall time, work, processor time and memory per rule."""
    lines = [
        [
            code(row.rule), row.jobs, fixed(row.wall_s, 1), fixed(row.work_s, 1) if row.work_s is not None else "–",
            fixed(row.core_s, 1), artefacts.human_bytes(row.peak_bytes) if row.peak_bytes is not None else "–",
        ]
        for row in rows
    ]  # fmt: skip
    wall, core = (fixed(sum(getattr(row, name) for row in rows), 1) for name in ("wall_s", "core_s"))
    total = [f"**all {len(rows)}**", sum(row.jobs for row in rows), wall, "", core, ""]
    return table(["rule", "jobs", "wall (s)", "of it work (s)", "core-s", "peak memory of a job"], [*lines, total])


def facts(pairs: Mapping[str, Any]) -> str:
    """Two columns: what, and its value as text or number."""
    shown = {name: value if isinstance(value, str) else number(value) for name, value in pairs.items()}
    return table(["", ""], [[cell(name), cell(value)] for name, value in shown.items()], "ll")
