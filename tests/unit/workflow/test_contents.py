"""Files outside the checkout are compared by content, and read again only when something about them has changed."""

import os
import shutil

import pytest

from scripts.monosem.workflow import contents


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(contents, "LARGE", 3)
    contents._memory.cache_clear()
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    yield tmp_path
    contents._memory.cache_clear()


def of(folder):
    contents._memory.cache_clear()  # as in the next process
    return contents.digest(sorted(folder.glob("*.txt")), folder)


@pytest.mark.parametrize(
    "change, same",
    [
        (lambda folder: os.utime(folder / "a.txt"), True),
        (lambda folder: shutil.copytree(folder, folder / "copy"), True),
        (lambda folder: (folder / "a.txt").write_text("A.txt"), False),
        (lambda folder: (folder / "c.txt").write_text(""), False),
        (lambda folder: (folder / "b.txt").unlink(), False),
        (lambda folder: (folder / "b.txt").rename(folder / "c.txt"), False),
    ],
    ids=["touched", "copied", "written", "added", "removed", "renamed"],
)
def test_a_change_of_contents_or_names_is_a_change(folder, change, same):
    before = of(folder)
    change(folder)
    assert (of(folder) == before) is same


def test_a_file_exchanged_for_an_older_one_is_a_change(folder):
    older, date = folder / "older", (1, 1)
    older.write_text("A.txt")
    os.utime(older, date)
    os.utime(folder / "a.txt", date)
    before = of(folder)
    older.rename(folder / "a.txt")
    assert of(folder) != before


def test_what_has_not_changed_is_not_read_again(folder, monkeypatch):
    before, read = of(folder), []
    real = contents.artefacts.sha256
    monkeypatch.setattr(contents.artefacts, "sha256", lambda path: read.append(path) or real(path))
    assert of(folder) == before and not read
    (folder / "a.txt").write_text("A.txt")
    assert of(folder) != before and read == [folder / "a.txt"]


def test_a_missing_file_is_noticed_when_it_comes(folder):
    paths = [folder / "a.txt", folder / "later.json"]
    before = contents.digest(paths)
    paths[1].write_text("{}")
    assert contents.digest(paths) != before


def test_a_memory_that_is_foreign_or_cannot_be_written_costs_reading_only(folder, monkeypatch):
    before = of(folder)
    contents.MEMORY.write_text("[")
    assert of(folder) == before
    monkeypatch.setattr(contents, "MEMORY", folder / "a.txt" / "contents.json")
    assert of(folder) == before
