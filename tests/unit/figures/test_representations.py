"""Every figure of the analyses is drawn, also where a part is missing; files named by a configuration are checked."""

import numpy as np
import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.figures import interventions, prompts, representations, style
from scripts.monosem.workflow import outputs_analysis
from scripts.monosem.workflow.checks import text_files
from tests.helpers import analysis_results

SITE = "blocks.0.mlp.hook_post"


@pytest.fixture(scope="module")
def drawn():
    parts, arrays = analysis_results.documents("deep", 2, ["peer"], SITE)
    return parts, arrays


def test_every_figure_is_drawn_and_small_enough(drawn, tmp_path):
    figures = representations.figures(*drawn)
    assert set(outputs_analysis.FIGURES) | {"text-some-text"} == set(figures)
    for name, draw in figures.items():
        svg, png = style.save_figure(draw(), tmp_path / name)
        assert svg.stat().st_size > 2000 and png.stat().st_size > 2000


def test_figures_of_prompts(tmp_path):
    analysis_results.prompts(tmp_path / "made", "deep", SITE, "narrow")
    document = artefacts.read_json(tmp_path / "made/prompts.json")
    figure = prompts.dots(document, dict(np.load(tmp_path / "made/prompts.npz")))
    before, after = figure.axes[0], figure.axes[1]
    n_points = [sum(len(line.get_xdata()) for line in axis.lines[:2]) for axis in (before, after)]
    assert n_points[0] == 20 > n_points[1]  # every latent, then without those that are always on or hardly ever
    style.save_figure(figure, tmp_path / "dots")
    style.save_figure(prompts.ranking(document), tmp_path / "ranking")


def test_figures_of_interventions(tmp_path):
    analysis_results.interventions(tmp_path, "first", SITE, "wide")
    document = artefacts.read_json(tmp_path / "interventions.json")
    for name, draw in {"dose": interventions.dose_response, "ablation": interventions.ablation}.items():
        style.save_figure(draw(document), tmp_path / name)
    lines = interventions.dose_response(document).axes[0].lines
    assert list(lines[0].get_ydata()) == [0.0, 0.7]
    nothing = document | {"pinned": {}, "examples": {"texts": {}}}
    assert interventions.dose_response(nothing).axes[0].texts and interventions.ablation(nothing).axes[0].texts


def test_a_figure_without_data_states_the_reason(drawn):
    parts, arrays = drawn
    without = {part: {k: v for k, v in document.items() if k != "words"} for part, document in parts.items()}
    without["layers"] = parts["layers"] | {"matched": {}}
    without["tokens"] = parts["tokens"] | {"examples": {"some-text": {}}}
    reasons = {name: draw().axes[0].texts for name, draw in representations.figures(without, arrays).items()}
    for name in ("words", "matched", "text-some-text"):
        assert len(reasons[name]) == 1


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("- one\n" * 8, None),
        ("- one\n", "has 1 prompts"),
        ("- one: two\n" * 8, "quote a prompt that holds a colon"),
    ],
)
def test_files_of_prompts(tmp_path, contents, message):
    path = tmp_path / "prompts.yaml"
    path.write_text(contents)
    problems = list(text_files.prompts({"one": str(path)}, "one"))
    assert (message is None and not problems) or message in problems[0]
    assert "expected one of prompts.sets (one)" in next(text_files.prompts({"one": str(path)}, "other"))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("- [a, b]\n- [c, yes]\n", "quote words"),
        ("- [a, b]\n- [b, c]\n", "the word 'b' twice"),
        ("a: [b]\n", "list of lists"),
        ("- [a, b\n", "is not YAML"),
        ("- [a, b]\n- [c, d, e]\n", None),
    ],
)
def test_files_of_words(tmp_path, contents, message):
    path = tmp_path / "words.yaml"
    path.write_text(contents)
    problems = list(text_files.words(str(path)))
    assert (message is None and not problems) or message in problems[0]


def test_the_words_that_ship_are_in_order():
    assert list(text_files.words("paper/words.yaml")) == []
