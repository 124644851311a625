"""Files of this repository that a script is made of: itself and every module of scripts/ that it imports.

Rules name them as inputs, so that an edit reruns what it can change and nothing else. The imports are read from the
source text: importing every script to ask it would load torch, 2.4 s in every call, and a list by hand would go stale.
Late imports count: a file may be watched in vain, but none that a job loads is missed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "scripts"
# imports the files of a folder by name
BY_NAME = {Path("scripts/monosem/sae/training/equations.py"): Path("scripts/monosem/sae/architectures")}
# nothing that they do is in a result
NOT_WATCHED = {Path("scripts/monosem/core", name) for name in ("job.py", "places.py", "session.py")}


def _imported_names(source: str) -> Iterator[str]:
    """Dotted names that may be modules: `from a.b import c` gives a.b and a.b.c. Late imports count too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _direct(path: Path, root: Path) -> frozenset[Path]:
    """Files below `root` that one file imports, the __init__ files of their packages included."""
    files = {file.relative_to(root) for file in (root / BY_NAME[path]).glob("*.py")} if path in BY_NAME else set()
    for name in _imported_names((root / path).read_text(encoding="utf-8")):
        parts = name.split(".")
        if parts[0] != PACKAGE:
            continue
        candidates = [Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
        candidates.append(Path(*parts).with_suffix(".py"))
        files.update(candidate for candidate in candidates if (root / candidate).is_file())
    return frozenset(files)


def closure(script: Path, root: Path = Path()) -> list[str]:
    """The script and all it imports from the repository, sorted, relative to `root`."""
    seen: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path in seen or path in NOT_WATCHED:
            continue
        seen.add(path)
        if (root / path).is_file():
            waiting.extend(_direct(path, root))
    return sorted(path.as_posix() for path in seen)
