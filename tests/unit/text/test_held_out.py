"""A split that follows a list: nothing that shipped models have read is held out."""

import numpy as np
import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.text import corpus, held_out
from tests.unit.text.test_overlap import text

FACTS = {"groups": 20, "words_of_a_run": 16}


def listed(folder, documents) -> held_out.HeldOut:
    held_out.save(documents, folder / held_out.FILE)
    artefacts.write_json({"overlap": FACTS}, folder / held_out.FACTS)
    return held_out.load(folder)


@pytest.fixture
def twenty() -> list[tuple[str, str]]:
    """Split and text."""
    of = ["train"] * 12 + ["validation"] * 3 + ["test"] * 5
    return [(split, text(number)) for number, split in enumerate(of)]


def test_every_listed_document_keeps_its_split_and_new_ones_are_train_text(tmp_path, twenty):
    old = [each for _, each in twenty]
    new = [text(number) for number in range(100, 130)]
    assigned = held_out.assign([*new, *old], [*new, *old], listed(tmp_path, twenty))
    assert assigned.splits == ["train"] * 30 + [split for split, _ in twenty]
    assert assigned.facts == {**FACTS, "listed": 8, "listed_here": 8}


def test_a_long_text_is_known_by_its_first_document(tmp_path, twenty):
    whole = [each for _, each in twenty]
    longer = [each + " and more" for each in whole]
    assert held_out.assign(longer, whole, listed(tmp_path, twenty)).splits == [split for split, _ in twenty]


def test_near_duplicates_are_left_out(tmp_path, twenty):
    whole = [each for _, each in twenty]
    assigned = held_out.assign([*whole, whole[3] + " again"], [*whole, ""], listed(tmp_path, twenty))
    assert assigned.splits == [*(split for split, _ in twenty), None]


def test_other_texts_are_refused(tmp_path, twenty):
    of_list = listed(tmp_path, twenty)
    others = [text(number) for number in range(100, 120)] + [twenty[-1][1]]
    with pytest.raises(artefacts.ArtefactError, match="only 1 of 8 documents .* set `shipped: null`"):
        held_out.assign(others, others, of_list)


def test_a_damaged_list_is_refused(tmp_path, twenty):
    listed(tmp_path, twenty)
    (tmp_path / held_out.FILE).write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(artefacts.ArtefactError, match="held-out.npz is no list of held-out documents"):
        held_out.load(tmp_path)
    (tmp_path / held_out.FILE).unlink()
    with pytest.raises(artefacts.ArtefactError, match="held-out.npz is missing"):
        held_out.load(tmp_path)


def test_documents_of_a_corpus_follow_the_list(tmp_path):
    """The order of the split by hash is another one, so that following the list shows."""
    texts = [corpus.Text("here", text(number)) for number in range(60)]
    config = {"folder": ".", "split": {"train": 0.5, "validation": 0.2, "test": 0.3}, "max_characters": 10**6,
              "planted": {"contexts": [], "share": 0}}  # fmt: skip
    by_hash, _ = corpus.natural_documents(texts, config)
    wanted = {
        item.text: split for item, split in zip(texts, np.repeat(["test", "train", "validation"], 20), strict=True)
    }
    documents, facts = corpus.natural_documents(
        texts, config, listed(tmp_path, [(split, each) for each, split in wanted.items()])
    )
    assert {item.text: item.split for item in documents} == wanted != {item.text: item.split for item in by_hash}
    assert facts["overlap"]["listed_here"] == 40
