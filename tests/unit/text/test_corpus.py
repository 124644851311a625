"""Documents: what is read, how it is normalised, deduplicated, cut and split, and what is refused."""

import sys
import types
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.core import artefacts
from scripts.monosem.text import corpus, docstrings, external, splits
from scripts.monosem.text.normalise import normalise

SHARES = {"train": 0.90, "validation": 0.04, "test": 0.06}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))

MODULE = '''
"""Module text."""
add_docstr(torch.abs, r"""abs(input) -> Tensor

{input}
LONG
""".format(**common))
_f_doc = """A template. LONG"""
not_a_text = """LONG"""
class A:
    """Class text.

    Flush.
        Indented.
    """
    if True:
        def f(self):
            "Method text."
            def inner():
                """Inner text."""
            return """LONG"""
'''.replace("LONG", "word " * 60)


def settings(folder: Path, **changes) -> dict:
    """A `corpus` block that reads `folder`."""
    planted = {"share": 0.02, "contexts": ["arabic", "hebrew", "dna", "base64"]}
    base = {"name": "mine", "folder": str(folder), "min_characters": 20, "max_characters": 5000, "split": SHARES}
    return base | {"planted": planted} | changes


def fill(folder: Path, n_files: int) -> Path:
    """Write `n_files` different texts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_files):
        lines = [f"Line {line} of file {number} says that {number * 31 + line} is a number." for line in range(12)]
        (folder / f"{number:04}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_docstrings_of_modules_classes_functions_and_doc_calls():
    found = docstrings.docstrings(MODULE)
    starts = [text.split("\n")[0][:20] for text in found]
    assert starts[0] == "Module text."
    assert starts[1] == "abs(input) -> Tensor" and "{input}" not in found[1]
    assert starts[2].startswith("A template.")
    assert found[3] == "Class text.\n\nFlush.\n    Indented."
    assert starts[4:] == ["Method text.", "Inner text."]


def test_reading_installed_packages_does_not_depend_on_the_number_of_workers():
    one = docstrings.collect(["einops", "jinja2"], False, 1)
    two = docstrings.collect(["einops", "jinja2"], False, 2)
    assert one == two
    assert sum(len(text) for file in one for text in file.texts) > 50_000


def test_packages_are_never_imported(tmp_path, monkeypatch):
    package = tmp_path / "explosive"
    (package / "tests").mkdir(parents=True)
    (package / "__init__.py").write_text('"""Read me, do not run me."""\nraise RuntimeError("imported")\n')
    (package / "tests" / "test_it.py").write_text('"""Tests are left out."""\n')
    (package / "broken.py").write_text('"""Unfinished."""\ndef f(:\n')
    (package / "latin.py").write_bytes(b'"""caf\xe9"""\n')
    (package / "surrogate.py").write_text('"""Half a pair: \\ud800."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    files = {file.file: file for file in docstrings.collect(["explosive"], False, 1)}
    assert files["explosive/__init__.py"].texts == ("Read me, do not run me.",)
    assert "SyntaxError" in files["explosive/broken.py"].problem
    assert files["explosive/latin.py"].problem
    assert files["explosive/surrogate.py"].texts == () and files["explosive/surrogate.py"].not_unicode == 1
    assert "explosive/tests/test_it.py" not in files and "explosive" not in sys.modules


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(artefacts.ArtefactError, match="no_such_package"):
        docstrings.collect(["no_such_package"], False)


def test_prose_is_told_from_tables():
    assert docstrings.is_prose("This is a line of plain words that people can read. " * 8)
    assert not docstrings.is_prose("0.1 0.2 0.3 setosa\n" * 50)


@given(ANY_TEXT)
def test_normalising_is_idempotent_and_composed(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert "\r" not in once and "\x00" not in once and " \n" not in once


def test_normalising_refuses_lone_surrogates():
    with pytest.raises(ValueError):
        normalise("half \ud83d pair")


@given(ANY_TEXT, st.integers(1, 50))
def test_pieces_fit_and_together_are_the_text(text, size):
    pieces = splits.cut(text, size)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= size


def test_pieces_end_at_line_ends_where_there_are_any():
    assert splits.cut("one\ntwo\nthree", 9) == ["one\ntwo\n", "three"]


def test_shares_of_the_splits_and_their_stability():
    keys = [f"document {number}" for number in range(20_000)]
    found = Counter(splits.assign_split(key, SHARES) for key in keys)
    for split, share in SHARES.items():
        assert found[split] / len(keys) == pytest.approx(share, abs=4 * (share * (1 - share) / len(keys)) ** 0.5)
    assert splits.assign_split("", {"train": 1.0, "validation": 0.0, "test": 0.0}) == "train"


def test_a_folder_becomes_a_corpus(tmp_path):
    config = settings(fill(tmp_path / "texts", 300))
    documents, facts = corpus.build(config, seed=3)
    assert corpus.build(config, seed=3)[0] == documents
    natural = [document for document in documents if document.source == "texts"]
    assert len(natural) == 300 and facts["files"] == 300
    by_split = {split: {d.text for d in documents if d.split == split} for split in corpus.SPLITS}
    assert all(by_split.values())
    assert not by_split["train"] & by_split["validation"] and not by_split["train"] & by_split["test"]
    for document in documents:
        for start, end, label in document.spans:
            assert 0 <= start < end <= len(document.text) and label in corpus.LABELS
        assert bool(document.spans) == (document.source == corpus.PLANTED)


def test_documents_stay_in_their_split_when_others_come(tmp_path):
    few = corpus.build(settings(fill(tmp_path / "texts", 200)), seed=0)[0]
    more = corpus.build(settings(fill(tmp_path / "texts", 300)), seed=0)[0]
    where = {document.text: document.split for document in more}
    natural = [document for document in few if document.source == "texts"]
    assert len(natural) == 200
    assert all(where[document.text] == document.split for document in natural)


def test_documents_of_one_installed_text_stay_together(tmp_path):
    texts = [corpus.Text("a", "\n".join(f"line {line} of text {number}" for line in range(40))) for number in range(90)]
    config = settings(tmp_path, installed={"packages": []}, max_characters=200)
    del config["folder"]
    documents, _ = corpus.natural_documents(texts, config)
    splits_of = {number: set() for number in range(90)}
    for document in documents:
        splits_of[int(document.text.split(" of text ")[1].split()[0])].add(document.split)
    assert len(documents) > 300 and all(len(found) == 1 for found in splits_of.values())


def test_planted_share_is_reached_in_equal_parts(tmp_path):
    documents, _ = corpus.build(settings(fill(tmp_path / "texts", 2000)), seed=0)
    facts = corpus.describe(documents)
    assert facts["planted_share"] == pytest.approx(0.02, rel=0.05)
    for label in corpus.LABELS[1:]:
        assert facts["planted"][label]["share"] == pytest.approx(0.005, rel=0.1)
        assert all(facts["planted"][label][split] > 0 for split in corpus.SPLITS)
    assert facts["characters"] == sum(len(document.text) for document in documents)
    assert sum(source["share"] for source in facts["sources"].values()) == pytest.approx(1)


SENTENCES = {
    "arabic": ("The Arabic word for a book is كِتَاب, as everyone knows here.", " كِتَاب"),
    "hebrew": ("One letter א is enough for it to be a document of two scripts.", " א"),
    "dna": ("The primer GATTACAGATTACA binds somewhere upstream of the gene.", " GATTACAGATTACA"),
    "base64": (
        "See https://a.example/?id=aGVsbG8sIHdvcmxkISBXaGF0IGEgZmluZSBkYXkgdG8gYmUgYWxpdmU= for it.",
        "aGVsbG8sIHdvcmxkISBXaGF0IGEgZmluZSBkYXkgdG8gYmUgYWxpdmU=",
    ),
}
"""Natural text in a context, and the span that a rule labels."""


def test_own_text_in_a_planted_context_is_kept_and_labelled_by_rule(tmp_path, capsys):
    folder = fill(tmp_path / "texts", 100)
    for number in range(300):
        sentence, _ = list(SENTENCES.values())[number % 4]
        before, behind = (" ".join(f"{where}{number}x{word}" for word in range(50)) for where in "ab")
        text = f"{before}. {sentence} {behind}"
        (folder / f"mixed{number}.txt").write_text(text, encoding="utf-8")
    documents, facts = corpus.build(settings(folder), seed=0)
    natural = [document for document in documents if document.source == "texts"]
    assert len(natural) == 400 and facts["left_out"] == [] and facts["texts_with_a_planted_context"] == 0
    for label, (sentence, span) in SENTENCES.items():
        found = [document for document in natural if sentence in document.text]
        assert len(found) == 75
        assert all([d.text[a:b] for a, b, name in d.spans if name == label] == [span] for d in found)
        assert all({name for *_, name in d.spans} == {label} for d in found)
    assert "labelled by rule: 150 characters of 75 documents: hebrew" in capsys.readouterr().out
    counts = corpus.describe(documents)
    assert counts["labelled_by_rule"]["hebrew"]["characters"] == 75 * 2
    planted = sum(end - start for d in documents if d.source == corpus.PLANTED for start, end, _ in d.spans)
    assert counts["planted_share"] == planted / counts["characters"]
    only_dna, _ = corpus.build(settings(folder, planted={"share": 0.02, "contexts": ["dna"]}), seed=0)
    assert {name for document in only_dna for *_, name in document.spans} == {"dna"}
    none, _ = corpus.build(settings(folder, planted={"share": 0, "contexts": ["dna"]}), seed=0)
    assert len(none) == 400 and not any(document.spans for document in none)


def test_installed_text_in_a_planted_context_is_left_out_loudly(tmp_path, monkeypatch, capsys):
    """Its text is chosen by the project, and its labels are those of planted documents alone."""
    texts = [f"{number} of the documentation is a number that nobody needs." for number in range(200)]
    texts.append("The Arabic word for a book is كتاب, as everyone knows here.")
    files = [docstrings.FileText("made", "made.py", tuple(texts), 0, None)]
    monkeypatch.setattr(docstrings, "collect", lambda *_: files)
    config = settings(tmp_path, installed={"packages": [], "standard_library": False})
    del config["folder"]
    documents, facts = corpus.build(config, seed=0)
    assert facts["texts_with_a_planted_context"] == 1
    assert not any("كتاب," in document.text for document in documents if document.source == "made")
    (row,) = facts["left_out"]
    assert row["texts"] == 1 and row["characters"] == len(texts[-1]) and "arabic" in row["reason"]
    assert "left out: 1 texts" in capsys.readouterr().out


def test_whatever_is_left_out_is_said_with_its_reason(tmp_path, capsys):
    folder = fill(tmp_path / "texts", 200)
    (folder / "short.txt").write_text("short", encoding="utf-8")
    (folder / "empty.md").write_text("\n  \n", encoding="utf-8")
    (folder / "copy.txt").write_bytes((folder / "0000.txt").read_bytes())
    _, facts = corpus.build(settings(folder), seed=0)
    assert [(row["texts"], row["reason"].split()[0]) for row in facts["left_out"]] == [(2, "shorter"), (1, "equal")]
    assert capsys.readouterr().out.count("left out:") == 2
    for name in list(folder.iterdir()):
        name.unlink()
    (folder / "empty.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(artefacts.ArtefactError, match=r"all 1 texts are left out .*shorter than corpus.min_characters"):
        corpus.build(settings(folder, min_characters=0), seed=0)


@pytest.mark.parametrize("n_files", [1, 3, 10])
def test_long_texts_are_cut_into_documents_before_they_are_split(tmp_path, n_files, capsys):
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    folder = tmp_path / "texts"
    folder.mkdir()
    size = 600_000 // n_files
    for number in range(n_files):
        text = "".join(f"Line {line} of file {number} has the number {line * 31}.\n" for line in range(size // 40))
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    documents, facts = corpus.build(settings(folder, split=shares, max_characters=100_000), seed=0)
    sizes = Counter()
    for document in documents:
        if document.source == "texts":
            sizes[document.split] += len(document.text)
    assert facts["left_out"] == []
    for split, share in shares.items():
        assert sizes[split] / sum(sizes.values()) == pytest.approx(share, abs=0.02)
    assert "differ from corpus.split" not in capsys.readouterr().out


def test_equal_documents_of_a_long_text_are_one(tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    lines = [f"A sentence that has the number {number} in it." for number in range(4000)]
    text = "\n".join([*lines, *("the same " * 400 for _ in range(40))])
    (tmp_path / "texts" / "one.txt").write_text(text, encoding="utf-8")
    documents, facts = corpus.build(settings(tmp_path / "texts", max_characters=3600), seed=0)
    assert len({document.text for document in documents}) == len(documents)
    assert sum(row["characters"] for row in facts["left_out"]) > 0
    assert "equal to an earlier text" in capsys.readouterr().out


def test_shares_that_few_short_texts_cannot_give_are_said():
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert splits.far_from({"train": 800, "validation": 95, "test": 105}, shares) == ""
    sentence = splits.far_from({"train": 620, "validation": 280, "test": 100}, shares)
    assert sentence == "validation 0.280 (asked: 0.1)"


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    away = fill(tmp_path / "away", 3)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "linked").symlink_to(away, target_is_directory=True)
    (tmp_path / "texts" / "again").symlink_to(away, target_is_directory=True)
    (away / "up").symlink_to(tmp_path / "texts", target_is_directory=True)
    (tmp_path / "texts" / "file.md").symlink_to(away / "0000.txt")
    names = sorted(path.relative_to(tmp_path).as_posix() for path in external.text_files(tmp_path / "texts"))
    assert names == ["texts/again/0000.txt", "texts/again/0001.txt", "texts/again/0002.txt", "texts/file.md"]
    assert len(external.read_folder(str(tmp_path / "texts"))[0]) == 4


def test_a_folder_called_planted_is_natural_text(tmp_path):
    documents, _ = corpus.build(settings(fill(tmp_path / "planted", 200)), seed=0)
    assert {document.source for document in documents} == {"planted", "folder planted"}
    assert sum(document.source == "folder planted" for document in documents) == 200


def test_files_round_trip_and_manifest(tmp_path):
    config = settings(fill(tmp_path / "texts", 200))
    manifest = corpus.build_files(config, 0, 1, tmp_path / "documents.jsonl", tmp_path / "manifest.json")
    documents = corpus.build(config, 0)[0]
    assert list(corpus.read(tmp_path / "documents.jsonl")) == documents
    assert manifest["documents_sha256"] == artefacts.sha256(tmp_path / "documents.jsonl")
    assert artefacts.read_json(tmp_path / "manifest.json")["splits"]["train"]["documents"] == sum(
        document.split == "train" for document in documents
    )


def test_a_cut_file_of_documents_is_refused(tmp_path):
    path = tmp_path / "documents.jsonl"
    corpus.write([corpus.Document("a", "train", "some text")] * 3, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(artefacts.ArtefactError, match=r"documents\.jsonl is cut short"):
        list(corpus.read(path))


def test_unreadable_folders_are_refused_and_bad_files_named(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match="no folder"):
        external.read_folder(str(tmp_path / "missing"))
    with pytest.raises(artefacts.ArtefactError, match="no readable text"):
        external.read_folder(str(tmp_path))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "binary.txt").write_bytes(b"a\x00b")
    (tmp_path / "good.md").write_text("fine", encoding="utf-8")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    texts, facts = external.read_folder(str(tmp_path))
    assert [text for _, text in texts] == ["fine"]
    assert facts["files"] == 3
    assert [line.split(":")[0] for line in facts["files_skipped"]] == ["binary.txt", "latin.txt"]


def test_too_few_documents_for_three_splits(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match="empty"):
        corpus.build(settings(fill(tmp_path / "texts", 1)), seed=0)


def test_hub_needs_datasets_and_a_revision(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(artefacts.ArtefactError, match="pip install datasets"):
        external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 3})
    with pytest.raises(artefacts.ArtefactError, match="revision"):
        external.read_hub({"name": "a/b", "max_documents": 3})


def test_hub_is_streamed_at_its_revision(monkeypatch):
    asked = {}

    def load_dataset(name, subset, **options):
        asked.update(name=name, subset=subset, **options)
        return ({"text": f"document {number}"} for number in range(10**9))

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    texts, facts = external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 3})
    assert [text for _, text in texts] == ["document 0", "document 1", "document 2"]
    assert asked == {"name": "a/b", "subset": None, "split": "train", "revision": "abc", "streaming": True}
    assert facts["revision"] == "abc"
    bad = [{"text": "half \ud83d pair"}, {"text": "whole"}, {"text": None}, {"text": ["a", "list"]}]
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=lambda *_, **__: iter(bad)))
    texts, facts = external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 3})
    assert [text for _, text in texts] == ["whole", ""] and facts["texts_not_unicode"] == 1
    with pytest.raises(artefacts.ArtefactError, match="'text' of a/b holds list, expected text"):
        external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 4})
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(artefacts.ArtefactError, match="'content'.*fields text"):
        external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 3, "text_field": "content"})
