"""Places that a run cannot work with are named in one sentence, with advice that works."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.monosem.core import artefacts, places


def test_the_folder_of_the_snakefile_is_where_a_run_works(tmp_path):
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    (tmp_path / "link").symlink_to(checkout)
    places.require_checkout(checkout, tmp_path / "link")
    with pytest.raises(places.Unusable, match=rf"not in {tmp_path}: `cd '{checkout}'` and call it there without --dir"):
        places.require_checkout(checkout, tmp_path)


def test_folders_that_can_be_written_to_are_left_as_they_are(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    places.require_writable([tmp_path / "results", tmp_path / "new"])
    assert {path.name for path in tmp_path.iterdir()} == {"disk", "results"} and not list((tmp_path / "disk").iterdir())


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(places.Unusable, match=f"{tmp_path}/results cannot be written to .*link to a folder that can"):
        places.require_writable([tmp_path / "results"])


def test_a_link_to_a_missing_disk_is_named(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    with pytest.raises(places.Unusable, match=f"results is a link to {tmp_path}/disk, which is missing"):
        places.require_writable([tmp_path / "results"])


@pytest.mark.parametrize("folder", ["plain", "a blank", "it's", 'a "quote"', "dollar$", "文"])
def test_a_shell_starts_the_python_of_any_checkout(tmp_path, folder):
    checkout = tmp_path / folder
    (checkout / "bin").mkdir(parents=True)
    (checkout / "bin/python").symlink_to(sys.executable)
    word = places.shell_word(str(checkout / "bin/python"), checkout)
    assert subprocess.run(f"{word} --version", shell=True, cwd=checkout).returncode == 0


def test_letters_are_no_problem_to_a_shell(tmp_path):
    assert places.shell_word("/home/josé/venv/bin/python", tmp_path) == "/home/josé/venv/bin/python"


def test_a_python_elsewhere_with_a_blank_is_refused(tmp_path):
    with pytest.raises(places.Unusable, match="make the environment in the checkout"):
        places.shell_word("/opt/my python/bin/python", tmp_path)


def test_caches_stay_where_there_is_a_home(tmp_path):
    environ = {"HOME": str(tmp_path)}
    assert places.give_caches(environ) is None and environ == {"HOME": str(tmp_path)}


@pytest.mark.parametrize("home", [{}, {"HOME": "/dev/null/nowhere"}])
def test_without_a_home_caches_go_to_a_folder_of_the_process(home, tmp_path):
    environ = {**home, "MPLCONFIGDIR": "mine"}
    folder = places.give_caches(environ, code=tmp_path / "read-only")
    moved = {*places.CACHES, "NUMBA_CACHE_DIR", "HOME"} - {"MPLCONFIGDIR"}
    assert all(Path(environ[name]).is_dir() and Path(environ[name]).parent == folder for name in moved)
    assert environ["MPLCONFIGDIR"] == "mine"
    assert places.give_caches(environ, code=tmp_path / "read-only") is None


def test_numba_compiles_without_a_home_and_beside_no_code(tmp_path):
    """As in a tool of the command line, from code that cannot be written to."""
    script = (
        "import os; os.access = lambda *_: False\n"
        "from scripts.monosem.sae.kernels import numba_loops\n"
        "print(os.environ['NUMBA_CACHE_DIR'])"
    )
    environ = {**os.environ, "HOME": "/dev/null/nowhere"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    cache = Path(done.stdout.strip())
    assert cache.name == "numba_cache_dir" and not cache.parent.exists()  # removed at the end


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder with two results: Snakemake has a record of one, and is making the other."""
    monkeypatch.chdir(tmp_path)
    for kind, path in (("metadata", "results/a.json"), ("incomplete", f"results/{'long' * 60}/b.json")):
        artefacts.write_json({}, path)
        name = base64.urlsafe_b64encode(path.encode()).decode()
        parts = [f"@{name[:254]}", name[254:]] if len(name) > 254 else [name]
        artefacts.write_text("", Path(".snakemake", kind, *parts))
    return Path("results"), Path(".snakemake"), lambda path: path.endswith(".json")


def test_results_of_this_checkout_are_its_own(run):
    artefacts.write_text("a log, no output", "results/logs/a.log")
    places.require_own_results(*run)


def test_results_from_elsewhere_are_refused_by_name(run):
    artefacts.write_json({}, "results/c.json")
    with pytest.raises(places.Unusable, match=r"not made in this checkout \(1, e.g. results/c.json\).*--touch"):
        places.require_own_results(*run)
