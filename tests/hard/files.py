"""Artefacts that are cut or changed, a full disk, a read-only results folder: one sentence, never a wrong number."""

import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from scripts.monosem.core import checksums
from scripts.monosem.core.artefacts import ArtefactError
from tests.hard import common

UNREAD = ("logs", "benchmarks", "checksums")
"""Folders of results that no job reads."""


def kind_of(path: Path) -> str:
    """results/models/onelayer-a/config.json -> 'models config.json': one kind for all models, sites and runs."""
    return f"{path.parts[1]} {re.sub(r'[0-9]+', 'N', path.name)}" if len(path.parts) > 2 else path.name


def kinds(folder: Path) -> dict[str, Path]:
    """One file of every kind of artefact that a finished run has, relative to its folder."""
    found: dict[str, Path] = {}
    for path in sorted((folder / "results").rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and path.stat().st_size and relative.parts[1] not in UNREAD:
            found.setdefault(kind_of(relative), relative)
    return found


def cut(path: Path, rng: random.Random) -> None:
    """Keep the file up to a random byte."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit of a random byte."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


READERS = {"activations": "train_sae", "data": "train_language_model"}
"""Rule that reads the files of a folder that no rule declares: forced, as their damage alone reruns nothing."""


def trial(folder: Path, name: Path, expected: dict, tally: common.Tally, what: str) -> None:
    """Continue a run with a damaged file: the right numbers, or a sentence whose advice leads to them."""
    undeclared = not (folder / checksums.record_of(name)).is_file()
    forced = ["--forcerun", READERS[name.parts[1]]] if undeclared and name.parts[1] in READERS else []
    done = common.run(folder, *forced)
    said = ""
    if done.returncode:
        said = next((line for line in common.sentences(done.stdout) if name.name in line), "")
        advice = re.search(r"the same command with `(--forcerun [^`]+)`", said)
        if not advice:
            tally.lost.append(f"{what}: {(common.sentences(done.stdout) or [done.stdout[-500:]])[0]}")
            return
        done = common.run(folder, *advice.group(1).split())
    if wrong := done.stdout[-1000:] if done.returncode else common.difference(expected, common.numbers(folder)):
        tally.lost.append(f"{what}: {f'after the advice of {said!r}, ' if said else ''}{wrong}")
    elif said:
        tally.refused += 1
    else:
        tally.survived += 1


def damaged(work: Path, only: str, seed: int) -> list[common.Tally]:
    """A cut and a flipped bit for every kind of artefact whose name matches `only`."""
    finished = common.finished_run(work)
    expected, rng = common.numbers(finished), random.Random(seed)
    tallies = []
    for damage, title in ((cut, "cut at a random byte"), (flip, "one bit flipped")):
        tally = common.Tally(title)
        for kind, name in kinds(finished).items():
            if re.search(only, kind):
                folder = common.copy_of(finished, work / "damaged")
                damage(folder / name, rng)
                trial(folder, name, expected, tally, f"{title}, {name}")
                print(
                    f"  {kind}, {title}: {'lost' if tally.lost and str(name) in tally.lost[-1] else 'well'}", flush=True
                )
        tallies.append(tally)
    return tallies


def compared(work: Path, seed: int) -> list[common.Tally]:
    """A cut and a flipped bit for every kind of artefact, given to the comparison that comes before every job."""
    folder, rng = common.copy_of(common.finished_run(work), work / "compared"), random.Random(seed)
    tallies = [common.Tally(f"{title}, as a job compares it") for title in ("cut at a random byte", "one bit flipped")]
    with chdir(folder):
        for kind, name in kinds(folder).items():
            if not checksums.record_of(name).is_file():
                print(f"  {kind}: no job's output", flush=True)
                continue
            whole = name.read_bytes()
            for damage, tally in zip((cut, flip), tallies, strict=True):
                damage(name, rng)
                try:
                    checksums.compare([name])
                    tally.lost.append(f"{kind}: not noticed")
                except ArtefactError as error:
                    wanted = f"--forcerun {name}` added makes it anew"
                    if wanted in str(error):
                        tally.refused += 1
                    else:
                        tally.lost.append(f"{kind}: {error}")
                name.write_bytes(whole)
    return tallies


@contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[bool]:
    """Mount something on a folder; False where that is not allowed."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


NO_ROOT = "mounting needs root"


def full_disk(work: Path, sizes_kb: tuple[int, ...] = (64, 2000)) -> common.Tally:
    """Results on a disk that is too small: a sentence about it, and after that a run on a large one ends well."""
    tally = common.Tally("full disk")
    for size in sizes_kb:
        folder = common.fresh_copy(common.finished_run(work), work / "full")
        (folder / "results").mkdir()
        with _mounted(folder / "results", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs") as mounted:
            if not mounted:
                tally.skipped = NO_ROOT
                return tally
            done = common.run(folder)
            _judge(tally, done, ("No space left", "are free"), f"full disk of {size} kB")
    return tally


def read_only(work: Path) -> common.Tally:
    """Results that cannot be written: one sentence before any job."""
    tally = common.Tally("read-only results")
    folder = common.copy_of(common.finished_run(work), work / "readonly")
    (folder / "results/report.html").unlink()  # so that there is something to do
    with _mounted(folder / "results", "--bind", str(folder / "results")) as mounted:
        remount = ["mount", "-o", "remount,ro,bind", str(folder / "results")]
        if not mounted or subprocess.run(remount, capture_output=True).returncode:
            tally.skipped = NO_ROOT
            return tally
        _judge(tally, common.run(folder), ("read-only", "Read-only"), "read-only results")
    return tally


def _judge(tally: common.Tally, done: subprocess.CompletedProcess, words: tuple[str, ...], what: str) -> None:
    """A run that could not go on must say why, naming results."""
    lines = [line for line in done.stdout.splitlines() if any(word in line for word in words) and "results" in line]
    if done.returncode and any(" failed: " in line or "cannot" in line for line in lines):
        tally.refused += 1
    else:
        tally.lost.append(f"{what}: ended with {done.returncode}: {(lines or [done.stdout[-800:]])[-1]}")


def disks(work: Path) -> list[common.Tally]:
    """Full and read-only disks."""
    return [full_disk(work), read_only(work)]
