"""A copy of the repository to run in, and a way to call Snakemake there."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.running import SMOKE, command, environment

ROOT = Path(__file__).parents[2]


def copy_of_repository(folder: Path) -> Path:
    """The files of the repository as they are now, without what git ignores; outside git, all but results."""
    listing = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, capture_output=True, text=True)
    if listed.returncode:
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns("results", ".*"), dirs_exist_ok=True)
        return folder
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def snakemake() -> Callable:
    """Call Snakemake in a folder and get what it printed (both streams) and its exit status."""

    def call(folder: Path, *words: str, cores: int = 2, configfile: str | None = SMOKE) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(*words, cores=cores, configfile=configfile),
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return call


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Callable[[], Path]:
    """Make fresh copies of the repository."""
    return lambda: copy_of_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def clone(fresh) -> Path:
    """One copy in which nothing is run."""
    return fresh()


@pytest.fixture(scope="session")
def finished(fresh, snakemake) -> Path:
    """A copy in which the smoke configuration has run to the end. Tests leave its results as they are."""
    folder = fresh()
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-5000:]
    (folder / "smoke.out").write_text(done.stdout)
    return folder
