"""Checksums of what jobs wrote, recorded when a job ends and compared when another reads: nothing is silently changed.

A flipped byte in weights or in a number of a JSON file is as readable as the right one. Records are files of their own,
below `results/checksums`; what has none, such as the code, texts and models of the user, is not compared.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts

RESULTS, RECORDS = "results", "checksums"
LARGEST_BESIDE = 2**26  # bytes: reading the weights of a large model takes seconds, and who uses them names them


def files_of(named: Any) -> list[Path]:
    """Paths of a job's inputs or outputs, by whatever names its rule gives them."""
    return [Path(path) for path in (named if isinstance(named, Iterable) else ())]


def record_of(path: Path) -> Path | None:
    """results/models/a/config.json -> results/checksums/models/a/config.json.sha256; None outside results."""
    if path.is_absolute() or path.parts[0] != RESULTS or ".." in path.parts:
        return None
    inner = path.relative_to(RESULTS)
    return Path(RESULTS, RECORDS, inner.parent, f"{inner.name}.sha256")


def forget(paths: Iterable[Path]) -> None:
    """Remove the records of files that are about to be written again."""
    for record in filter(None, map(record_of, paths)):
        record.unlink(missing_ok=True)


def keep(paths: list[Path]) -> None:
    """Record the checksums of a job's outputs as they are now, each with the names of all."""
    made = [path for path in paths if record_of(path) is not None and path.is_file()]
    names = "".join(f"{path}\n" for path in made)
    for path in made:
        artefacts.write_text(f"{artefacts.sha256(path)}\n{names}", record_of(path))


def _recorded(path: Path) -> list[str]:
    """Checksum of a file, then the names of all that its job wrote; empty if nothing is known of it."""
    record = record_of(path)
    if record is None or not record.is_file() or not path.is_file():
        return []
    return record.read_text(encoding="utf-8", errors="replace").splitlines()


def compare(paths: Iterable[Path]) -> None:
    """Compare files, and what their jobs wrote beside them: a script finds cfg.json beside the weights it is given.

    Raises: ArtefactError for the first file that is not what its job wrote.
    """
    paths = list(paths)
    beside = [Path(name) for path in paths for name in _recorded(path)[1:]]
    small = [path for path in beside if path.is_file() and path.stat().st_size <= LARGEST_BESIDE]
    for path in dict.fromkeys([*paths, *small]):
        if (lines := _recorded(path)) and lines[0] != artefacts.sha256(path):
            raise artefacts.ArtefactError(
                f"{path} is cut short or changed: its checksum is not that of {record_of(path)}; the same command with "
                f"`--forcerun {path}` added makes it anew"
            )
