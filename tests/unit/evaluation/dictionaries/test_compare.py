"""The comparison as a whole, on a tiny random model whose second seed and control are the model itself."""

import json

import numpy as np
import pytest

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.evaluation.dictionaries import world
from scripts.monosem.evaluation.dictionaries.codes import join
from scripts.monosem.evaluation.dictionaries.document import Automata, Splitting, Universality
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import dictionary_results
from tests.helpers.evaluation_world import make_tokens


@pytest.fixture(scope="module")
def documents():
    return dictionary_results.made()[0]


def test_a_model_matches_itself_at_one_and_by_chance_not_at_all(documents):
    subjects = documents["universality"]["subjects"]
    for kind in ("latents", "neurons"):
        for name in (kind, f"{kind}_permuted_model"):
            assert subjects[name]["median_correlation"]["value"] == pytest.approx(1, abs=1e-4)
            assert subjects[name]["mutual_share"] == 1
        assert abs(subjects[f"{kind}_permuted_tokens"]["median_correlation"]["value"]) < 0.2
    assert documents["universality"]["advantage"]["true"]["value"] == pytest.approx(0, abs=1e-4)


def test_cases_are_the_latents_that_were_asked_for(documents):
    cases = documents["universality"]["cases"]
    assert {name: (row["latent"], row["match"]) for name, row in cases.items()} == {"arabic": (0, 0), "dna": (1, 1)}
    for row in cases.values():
        assert row["label_correlation"] == pytest.approx(row["match_label_correlation"], abs=1e-6)
        for example in row["examples"]:
            assert example["activations"][example["peak"]] == pytest.approx(example["activation"])
            assert example["activation"] == max(example["activations"])


def test_dictionaries_are_ordered_by_width(documents):
    assert [row["run"] for row in documents["splitting"]["widths"]] == ["exact", "random"]
    subjects = documents["splitting"]["subjects"]
    assert subjects["step_0"] == subjects["widest"] == subjects["permuted_model"]
    assert subjects["random_pairing"]["union_jaccard"]["value"] <= subjects["widest"]["union_jaccard"]["value"]


def test_documents_come_back_from_json(documents):
    for cls, part in ((Universality, "universality"), (Splitting, "splitting"), (Automata, "automata")):
        document = json.loads(json.dumps(documents[part]))
        assert json.loads(json.dumps(to_json(from_json(cls, document)))) == document


def test_shuffled_next_tokens_have_lift_one_in_any_model(documents):
    assert documents["automata"]["subjects"]["shuffled_next"]["lift"]["value"] == pytest.approx(1, abs=0.1)


def test_splits_are_joined_with_their_documents(tmp_path):
    make_tokens(tmp_path, None)
    validation, test = (load_tokens(tmp_path, split) for split in ("validation", "test"))
    joined = join([validation, test])
    n = len(validation.tokens)
    assert len(joined.tokens) == n + len(test.tokens)
    assert (joined.tokens[joined.documents[:-1]] == 0).all()
    assert (joined.documents[120:] == test.documents + n).all()


def test_codes_of_other_text_are_refused(tmp_path):
    make_tokens(tmp_path, None)
    place = np.arange(1, 9)
    none = np.zeros(0, np.int64)
    stored = {
        shift: stored_codes.StoredCodes(np.array([0]), place + shift, none.astype(np.float32), none, np.zeros(9, int))
        for shift in (0, 1)
    }
    codes = {
        shift: stored_codes.CodesOfText(4, 16, dict.fromkeys(stored_codes.SPLITS, each))
        for shift, each in stored.items()
    }
    text = world.read_text(tmp_path, codes[0], 100, seed=0)
    for shift, each in codes.items():
        stored_codes.save(each, tmp_path / f"{shift}.npz")
    assert world.latents_of(tmp_path / "0.npz", text).activations.shape == (16, 4)
    with pytest.raises(ArtefactError, match=r"1\.npz: codes of other text"):
        world.latents_of(tmp_path / "1.npz", text)
