"""Digests of files that are read from outside the checkout: a rule has them as a parameter and reruns when one changes.

Snakemake itself compares inputs by date first: a file that is exchanged for an older one, or leaves a list, would go
unnoticed. That a file has changed since it was last read shows in its size and times (a rename or a copy with its
old date changes one of them); only then is it read again. Large models thus cost their reading once, 1 to 3 s per GB.
"""

import contextlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from scripts.monosem.core import artefacts

MEMORY = Path(".snakemake", "monosem", "contents.json")
"""State -> digest; may be deleted at any time."""
ENTRIES = 2000
LARGE = 10**6
"""Bytes from which a file's digest is remembered by itself, and not only that of its list."""


def _state(path: Path) -> tuple[int, ...] | None:
    """Numbers that change when a file is written, exchanged or renamed; None for a missing one."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev


@cache
def _memory() -> dict[str, str]:
    try:
        remembered = artefacts.read_json(MEMORY)
    except (artefacts.ArtefactError, OSError):
        return {}
    return remembered if isinstance(remembered, dict) else {}


def _remember(key: str, digest: str) -> str:
    memory = _memory()
    memory[key] = digest
    for oldest in list(memory)[:-ENTRIES]:
        del memory[oldest]
    with contextlib.suppress(OSError):  # a place that cannot be written to: files are read at every call
        artefacts.write_json(memory, MEMORY)
    return digest


def _digest_of_file(path: Path) -> str | None:
    state = _state(path)
    if state is None:
        return None
    if state[0] < LARGE:
        return artefacts.sha256(path)
    key = artefacts.sha256_json([str(path.resolve()), state])
    return _memory().get(key) or _remember(key, artefacts.sha256(path))


def digest(paths: Iterable[str | Path], root: str | Path | None = None) -> str:
    """Digest of the contents of files and of their names (their places below `root`, if it is given), in this order.

    A missing file counts as missing, so that its coming is a change, too.
    """
    files = [(Path(path).relative_to(root).as_posix() if root else Path(path).name, Path(path)) for path in paths]
    key = artefacts.sha256_json([[str(path), _state(path)] for _, path in files])
    if remembered := _memory().get(key):
        return remembered
    return _remember(key, artefacts.sha256_json([[name, _digest_of_file(path)] for name, path in files]))
