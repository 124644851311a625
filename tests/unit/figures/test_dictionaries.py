"""Figures of dictionaries: all can be drawn, also where there is nothing to show."""

import pytest

from scripts.monosem.figures import automata, splitting, style, universality
from tests.helpers import dictionary_results


@pytest.fixture(scope="module")
def made():
    documents, arrays = dictionary_results.made()
    return {
        part: (document, {key.removeprefix(f"{part}/"): array for key, array in arrays.items() if key.startswith(part)})
        for part, document in documents.items()
    }


def test_units_are_drawn_with_their_intervals(made, tmp_path):
    figure = universality.correlations(*made["universality"])
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert labels[:2] == ["latents", "latents, permuted model"] or labels[:2] == ["latents", "neurons"]
    for draw in (universality.correlations, universality.similarity, universality.matched_contexts):
        style.save_figure(draw(*made["universality"]), tmp_path / draw.__name__)


def test_every_dictionary_and_control_has_its_row(made, tmp_path):
    document, arrays = made["splitting"]
    figure = splitting.children(document)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[0] == "128 → 192" and labels[-1].startswith("children of")
    style.save_figure(figure, tmp_path / "children")
    for draw in (splitting.context_latents, splitting.families):
        style.save_figure(draw(document), tmp_path / draw.__name__)
    for draw in (splitting.planar_map, splitting.logit_scatter):
        style.save_figure(draw(document, arrays), tmp_path / draw.__name__)


def test_automata_are_drawn_with_the_text_on_which_they_run(made, tmp_path):
    estimate = {"value": 8.0, "low": 4.0, "high": 16.0, "n": 20}
    edges = [
        {"source": a, "target": b, "effect": 2.0, "lift": estimate, "probability_ratio": estimate}
        for a, b in ((5, 7), (7, 5))
    ]
    passage = {"tokens": ["x", "·y", "⏎"], "states": [5, 7, None]}
    shown = {"kind": "cycle", "nodes": [5, 7], "labels": ["x", "·y z"], "edges": edges, "passage": passage}
    document = made["automata"][0] | {"automata": [shown, shown | {"kind": "chain"}]}
    figure = automata.graphs(document)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "5: x" in texts and "⏎" in texts and "lift 5→7: 8 (4–16), 7→5: 8 (4–16)" in texts
    style.save_figure(figure, tmp_path / "automata")
    style.save_figure(automata.transitions(document), tmp_path / "transitions")


def test_nothing_to_show_is_a_sentence(made):
    universal, split = made["universality"][0] | {"cases": {}}, made["splitting"][0]
    empty = [
        universality.matched_contexts(universal, {}),
        splitting.context_latents(split | {"context_latents": {}}),
        splitting.families(split | {"families": []}),
        splitting.logit_scatter(split | {"scatter": None}, {}),
        automata.graphs({"automata": []}),
    ]
    assert all(len(figure.axes[0].texts) == 1 for figure in empty)
