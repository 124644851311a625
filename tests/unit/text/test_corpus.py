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
from scripts.monosem.text import corpus, docstrings, external
from scripts.monosem.text.normalise import near_key, normalise

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
    pieces = corpus.cut(text, size)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= size


def test_pieces_end_at_line_ends_where_there_are_any():
    assert corpus.cut("one\ntwo\nthree", 9) == ["one\ntwo\n", "three"]


def test_shares_of_the_splits_and_their_stability():
    keys = [f"document {number}" for number in range(20_000)]
    splits = Counter(corpus.assign_split(key, SHARES) for key in keys)
    for split, share in SHARES.items():
        assert splits[split] / len(keys) == pytest.approx(share, abs=4 * (share * (1 - share) / len(keys)) ** 0.5)
    assert corpus.assign_split("", {"train": 1.0, "validation": 0.0, "test": 0.0}) == "train"


def test_copies_with_other_names_share_a_split():
    text = "Returns the {} model for {}, with the given number of layers and heads, as the paper by {} describes. "
    text += "The first argument is the batch of inputs, the second one is the mask of the positions that are read."
    one, two = text.format("Bert", "text", "Devlin"), text.format("Roberta", "text", "Liu")
    assert one != two and near_key(one) == near_key(two)
    assert near_key("قال الرجل") == "قال الرجل"


def test_exact_and_near_duplicates_are_removed_and_counted():
    block = "\n".join(f"A line with the number {number} in it." for number in range(10))
    texts = [block, block, block + "\nOne line more.", "Another text altogether."]
    kept, dropped = corpus.drop_duplicates([corpus.Text("a", text, text) for text in texts])
    assert [item.text for item in kept] == [texts[0], texts[3]]
    assert dropped == {"exact": 1, "near": 1}


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


def test_pieces_of_one_file_stay_together():
    text = "\n".join(f"line {number}" for number in range(1000))
    documents = corpus.natural_documents([corpus.Text("a", text, text)], SHARES, 100)
    assert len(documents) > 50 and len({document.split for document in documents}) == 1


def test_planted_share_is_reached_in_equal_parts(tmp_path):
    documents, _ = corpus.build(settings(fill(tmp_path / "texts", 2000)), seed=0)
    facts = corpus.describe(documents)
    assert facts["planted_share"] == pytest.approx(0.02, rel=0.05)
    for label in corpus.LABELS[1:]:
        assert facts["planted"][label]["share"] == pytest.approx(0.005, rel=0.1)
        assert all(facts["planted"][label][split] > 0 for split in corpus.SPLITS)
    assert facts["characters"] == sum(len(document.text) for document in documents)
    assert sum(source["share"] for source in facts["sources"].values()) == pytest.approx(1)


def test_natural_text_in_a_planted_context_is_left_out(tmp_path):
    folder = fill(tmp_path / "texts", 300)
    (folder / "mixed.txt").write_text("The Arabic word for a book is كتاب, as everyone knows here.", encoding="utf-8")
    documents, facts = corpus.build(settings(folder), seed=0)
    assert facts["texts_with_a_planted_context"] == 1
    assert all("كتاب," not in document.text for document in documents if document.source == "texts")
    kept, facts = corpus.build(settings(folder, planted={"share": 0.02, "contexts": ["dna"]}), seed=0)
    assert facts["texts_with_a_planted_context"] == 0


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
    with pytest.raises(artefacts.ArtefactError, match="'content'.*fields text"):
        external.read_hub({"name": "a/b", "revision": "abc", "max_documents": 3, "text_field": "content"})
