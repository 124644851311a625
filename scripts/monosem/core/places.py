"""Places that a run needs: its checkout, folders that it can write to, caches, and results that are its own.

A place that cannot work is named in one sentence before any job starts.
"""

import atexit
import os
import re
import shlex
import shutil
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path

CACHES = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""Environment variables that move what matplotlib and Jupyter keep in the home folder."""
SPECIAL = re.compile(r"[\s'\"\\$`&;|<>()*?\[\]{}#!]")
"""Characters that a shell does not take as they are."""


class Unusable(RuntimeError):
    """A place that the run cannot work with; the message says which and what to do."""


def require_checkout(checkout: Path, here: Path) -> None:
    """Refuse to run elsewhere than in the folder of the Snakefile: code and results are named relative to it.

    Raises: Unusable.
    """
    if here.resolve() != checkout.resolve():
        there = shlex.quote(str(checkout.resolve()))
        raise Unusable(
            f"The workflow runs in the folder of its Snakefile, not in {here}: `cd {there}` and call it there without "
            "--directory; for results elsewhere, make `results` there a link to that folder."
        )


def require_writable(folders: Iterable[Path]) -> None:
    """Make a file in each folder, or beside one that is not there yet, and remove it again.

    Raises: Unusable for a folder that cannot be written to, or a link to a place that is missing.
    """
    for folder in folders:
        try:
            if folder.is_symlink() and not folder.exists():
                where = folder.readlink()
                raise Unusable(
                    f"{folder} is a link to {where}, which is missing: make that folder, or remove the link."
                )
            with tempfile.NamedTemporaryFile(dir=folder if folder.exists() else folder.parent, prefix=".writable."):
                pass
        except OSError as error:
            raise Unusable(
                f"{folder} cannot be written to ({error.strerror}): run in a copy of the checkout that can, or make "
                f"`{folder}` a link to a folder that can."
            ) from None


def shell_word(executable: str, here: Path) -> str:
    """Path of an interpreter that a shell reads as one word: Snakemake does not quote the Python that it starts.

    Relative to `here` where the absolute path has blanks or quotes, as that of a checkout's environment may have.
    Raises: Unusable where that has some too.
    """
    for path in (executable, os.path.relpath(executable, here)):
        if not SPECIAL.search(path):
            return path
    raise Unusable(
        f"Snakemake cannot start jobs with {executable}, whose path has a blank or quote: make the environment in the "
        "checkout (`make report`), or in a folder without them."
    )


def give_caches(environ: MutableMapping[str, str], code: Path = Path(__file__).parent) -> Path | None:
    """Send caches to a temporary folder, removed with the process, where no home can be written to.

    Variables that are set stay. numba keeps its cache beside the code where it can.
    """
    home = Path(environ.get("HOME") or "/nonexistent")
    if home.is_dir() and os.access(home, os.W_OK):
        return None
    missing = [name for name in CACHES if name not in environ]
    if not os.access(code, os.W_OK) and "NUMBA_CACHE_DIR" not in environ:
        missing.append("NUMBA_CACHE_DIR")
    if not home.is_dir():
        missing.append("HOME")
    if not missing:
        return None
    folder = Path(tempfile.mkdtemp(prefix="monosem-caches-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in missing:
        environ[name] = str(folder / name.lower())
        Path(environ[name]).mkdir()
    return folder


def _is_recorded(path: str, folder: Path) -> bool:
    """True where Snakemake has a record of a file that it made, or is about to make."""
    name = urlsafe_b64encode(path.encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    record = Path(*(f"@{part}" for part in parts[:-1]), parts[-1])
    return any((folder / kind / record).exists() for kind in ("metadata", "incomplete"))


def require_own_results(results: Path, snakemake: Path, is_output: Callable[[str], bool]) -> None:
    """Refuse results without a record in Snakemake's folder, which it would take for this configuration's.

    Raises: Unusable that names the first of them.
    """
    paths = sorted(path.as_posix() for path in results.rglob("*") if path.is_file())
    foreign = [path for path in paths if not _is_recorded(path, snakemake) and is_output(path)]
    if foreign:
        raise Unusable(
            f"{results} has files that were not made in this checkout ({len(foreign)}, e.g. {foreign[0]}), so that "
            f"nobody knows their configuration. Copy {snakemake} from where they were made, or move {results} away; "
            "`snakemake --cores 1 --touch --forceall` with your configuration takes them for results of it."
        )
