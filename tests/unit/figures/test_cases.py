"""Figures of the case studies draw every context and every subject that there is."""

import copy

from scripts.monosem.core import artefacts
from scripts.monosem.figures import cases
from tests.helpers import report_results


def studied(tmp_path) -> dict:
    report_results.case_studies(tmp_path)
    return artefacts.read_json(tmp_path / f"evaluation/first/{report_results.SITE}/wide/cases.json")


def test_every_context_has_its_subjects_and_intervals(tmp_path):
    document = studied(tmp_path)
    (axis,) = cases.correlations(document).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["url (12)", "dna (8)"]
    latent = document["cases"]["url"]["subjects"]["latent"]["pearson"]
    assert [latent["low"], latent["high"]] in [list(line.get_xdata()) for line in axis.lines]
    less = copy.deepcopy(document)
    for case in less["cases"].values():
        del case["subjects"]["permuted_model"]
    assert len(cases.correlations(less).axes[0].lines) == len(axis.lines) - 4


def test_text_from_elsewhere_is_beside_other_text_of_the_corpus(tmp_path):
    document = studied(tmp_path)
    axes = cases.unseen_text(document).axes
    assert [axis.get_title(loc="left") for axis in axes] == ["best latent", "best neuron", "the token alone"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["base64", "arabic", "corpus, other text"]
    assert [text.get_text() for text in axes[0].texts] == ["70", "70", "70"]


def test_without_contexts_a_figure_says_so(tmp_path):
    empty = studied(tmp_path) | {"cases": {}, "unseen": {}}
    for draw in (cases.correlations, cases.unseen_text):
        assert draw(empty).axes[0].texts[0].get_text().startswith("no ")
