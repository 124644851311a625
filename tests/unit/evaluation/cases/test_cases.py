"""Case studies: closed forms of the estimates, and the whole study on a tiny model whose contexts are in its tokens."""

import json

import numpy as np
import pytest
from scipy import sparse
from tokenizers import Tokenizer, models, pre_tokenizers

from scripts.monosem.evaluation.cases import run, scores, subjects
from scripts.monosem.evaluation.cases.document import CaseStudies
from scripts.monosem.evaluation.documents import Estimate, from_json, to_json
from scripts.monosem.metrics.bootstrap import document_weights
from scripts.monosem.text import unseen
from scripts.monosem.text.tokens import TokenStream
from tests.helpers.evaluation_world import POST, make_world


def truth(label, lookup, document=None, n_documents=40) -> scores.Truth:
    document = np.arange(len(label)) % n_documents if document is None else document
    return scores.Truth(label, lookup, None, document, document_weights(n_documents, 200, 0))


@pytest.fixture(scope="module")
def made():
    random = np.random.default_rng(0)
    label = random.random(4000) < 0.2
    noisy = label + random.normal(0, 0.5, 4000)
    return label, noisy, random.random(4000)


def test_the_lookup_gains_nothing_over_itself(made):
    label, lookup, _ = made
    unit = scores.score(truth(label, lookup), None, lookup, 0.5)
    assert unit.gain == Estimate(0.0, 0.0, 0.0, 40)
    assert unit.added_variance.value == pytest.approx(0, abs=1e-9)
    assert run.reported_as(unit.gain) == "undecided"


def test_a_unit_that_knows_the_label_is_a_context_feature_and_noise_is_not(made):
    label, lookup, noise = made
    of = truth(label, lookup)
    perfect = scores.score(of, 1, label.astype(float), 1.0)
    assert perfect.pearson.value == pytest.approx(1) and perfect.precision.value == perfect.recall.value == 1
    assert perfect.gain.value == pytest.approx(1 - np.corrcoef(label, lookup)[0, 1])
    assert perfect.added_variance.value == pytest.approx(1 - np.corrcoef(label, lookup)[0, 1] ** 2)
    assert run.reported_as(perfect.gain) == "context feature"
    other = scores.score(of, 2, noise, 0.5)
    assert run.reported_as(other.gain) == "token feature"
    assert other.pearson.low < 0.05 and other.added_variance.value < 0.01


def test_two_variables_explain_what_a_regression_on_both_does(made):
    label, lookup, noise = made
    x = np.stack([lookup, noise + 0.3 * label], axis=1)
    design = np.column_stack([np.ones(len(x)), x])
    fitted = design @ np.linalg.lstsq(design, label.astype(float), rcond=None)[0]
    r = np.corrcoef(np.column_stack([x, label]).T)
    together = scores.explained_together(r[[1], [2]], r[[0], [2]], r[[0], [1]])
    assert together[0] == pytest.approx(1 - ((label - fitted) ** 2).sum() / ((label - label.mean()) ** 2).sum())


def test_intervals_are_over_documents_and_not_over_tokens(made):
    label, _, noise = made
    blocks = np.repeat(np.random.default_rng(1).random(40) < 0.3, 100)
    few = scores.score(truth(blocks, noise, np.repeat(np.arange(40), 100)), 0, blocks + 2 * noise, 1.0).precision
    many = scores.score(truth(blocks, noise, np.arange(4000), 4000), 0, blocks + 2 * noise, 1.0).precision
    assert few.value == many.value and few.high - few.low > 3 * (many.high - many.low)


def test_sums_of_sparse_and_dense_units_agree_with_numpy():
    random = np.random.default_rng(2)
    x = np.maximum(random.normal(size=(300, 5)), 0).astype(np.float32)
    labels = random.random((300, 2)) < 0.3
    expected = [[np.corrcoef(unit, label)[0, 1] for label in labels.T] for unit in x.T]
    for values in (x, sparse.csr_matrix(x)):
        sums = subjects.label_sums(values, labels)
        assert sums.pearson() == pytest.approx(np.array(expected), abs=1e-6)
        assert sums.fired.tolist() == (x > 0).sum(0).tolist()


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folders = make_world(tmp_path_factory.mktemp("cases"), POST)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<|endoftext|>", *letters[:49]]
    path = folders["model"] / "tokenizer.json"
    Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, names[1])).save(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unseen, "texts", dict)
        patch.setattr(run, "load_tokenizer", lambda path: Tokenizer.from_file(str(path)))
        control = (folders["model"], folders["random"])
        given = (folders["model"], folders["exact"], control, folders["tokens"], path, 100_000, 100, 0, "cpu")
        return run.study(*given), run.study(*given)


def test_contexts_that_are_in_the_tokens_are_token_features(studied):
    document = studied[0]
    assert list(document.cases) == ["arabic", "hebrew", "dna", "base64"]
    for case in document.cases.values():
        lookup, latent = case.subjects["lookup"], case.subjects["latent"]
        assert lookup.pearson.value == pytest.approx(1, abs=1e-3)
        assert case.reported_as == "token feature" and latent.gain.high < 0
        assert lookup.precision.value == lookup.recall.value == 1
        assert 0.3 < latent.pearson.value < 1
        assert case.kind == "planted" and case.n_documents == 10 and case.n_windows >= 10
        assert set(case.subjects) == {"latent", "neuron", "random_dictionary", "permuted_model", "lookup"}


def test_the_study_is_the_same_twice_and_comes_back_from_json(studied):
    first, second = studied
    assert first == second
    document = json.loads(json.dumps(to_json(first)))
    assert json.loads(json.dumps(to_json(from_json(CaseStudies, document)))) == document


def test_a_context_is_called_by_the_documents_that_hold_it():
    """Text of one's own with labels by rule is natural, beside documents that the project wrote."""
    stream = TokenStream(
        np.zeros(8, np.uint16), np.zeros(8, np.uint8), np.arange(0, 10, 2), np.ones(4, int),
        np.array([True, True, False, False]), 0, 2,
    )  # fmt: skip
    document = np.repeat(np.arange(4), 2)
    kinds = [run.kind_of(np.isin(document, which), document, stream) for which in ([0, 1], [2], [1, 3])]
    assert kinds == ["natural", "planted", "natural and planted"]


def test_a_context_in_too_few_documents_is_left_out(studied):
    assert run.FEWEST_DOCUMENTS <= min(case.n_documents for case in studied[0].cases.values())
    assert not set(studied[0].cases) & set(run.natural_rules.CONTEXTS)
