"""Every experiment of the toy chapter at the smoke size: runs, is graded, draws its figures and fills its text."""

from pathlib import Path

import numpy as np
import pytest

from scripts import compile_toy_report, plot_toy, run_toy_experiment
from scripts.monosem.core import artefacts
from scripts.monosem.toy.settings import CONFIGS
from scripts.monosem.workflow import outputs_toy, roles
from scripts.monosem.workflow.checks import toy as toy_checks
from tests.helpers import configuration
from tests.helpers.running import job

TOY = outputs_toy.experiments(configuration.default("tests/smoke.yaml")["toy"])


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """All results of the chapter at the smoke size, in a folder of their own."""
    root = tmp_path_factory.mktemp("chapter")
    for name, settings in TOY.items():
        folder = root / "results/toy" / name
        folder.mkdir(parents=True)
        parameters = {key: value for key, value in settings.items() if key != "seed"}
        files = {"result": str(folder / "result.json"), "arrays": str(folder / "arrays.npz")}
        run_toy_experiment.main(job({}, files, {"toy": parameters, "seed": 0, "device": "cpu"}))
    results, figure = sorted(map(str, root.glob("results/toy/*/result.json"))), root / "results/figures/toy/any.svg"
    plot_toy.main(job({"results": results}, {"svg": [str(figure)]}))
    return root


def test_every_kind_has_settings_experiment_and_figures():
    assert list(outputs_toy.FIGURES) == list(CONFIGS)
    assert set(toy_checks.BY_KIND) <= set(CONFIGS)
    for kind in outputs_toy.FIGURES:
        for folder in ("toy/experiments", "figures/toy"):
            assert Path("scripts/monosem", folder, f"{outputs_toy.stem(kind)}.py").is_file(), kind
    assert set(outputs_toy.NAMED) <= set(configuration.default()["toy"])
    assert {settings["kind"] for settings in TOY.values()} == set(outputs_toy.FIGURES), "smoke runs every kind"


def test_null_leaves_an_experiment_out_of_the_chapters_order():
    toy = {"late": {"kind": "recovery"}, "early": {"kind": "superposition"}, "gone": None}
    assert list(outputs_toy.experiments(toy)) == ["early", "late"]
    played = roles.toy_roles({"toy": {**toy, "superposition": None}})
    assert played["superposition"] is None and played["early"] == "toy/early/result"


@pytest.mark.parametrize("name", TOY)
def test_every_experiment_is_graded(chapter, name):
    result = artefacts.read_json(chapter / f"results/toy/{name}/result.json")
    assert result["kind"] == TOY[name]["kind"] and result["parameters"] and "controls" in result
    for rule in result["acceptance"].values():
        assert {"value", "bound", "pass"} <= set(rule) and isinstance(rule["pass"], bool)
    with np.load(chapter / f"results/toy/{name}/arrays.npz") as arrays:
        assert all(np.isfinite(arrays[key]).all() for key in arrays.files)


@pytest.mark.parametrize("figure", outputs_toy.figure_names(TOY))
def test_every_figure_is_drawn(chapter, figure):
    for suffix in (".svg", ".png"):
        assert (chapter / f"results/figures/toy/{figure}{suffix}").stat().st_size > 2000


def compile_chapter(root: Path, names: list[str]) -> str:
    """The page of the given experiments, as Markdown."""
    toy = {name: TOY[name] for name in names}
    paper = Path("paper").resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        files = {
            "template": str(paper / "toy_alone.md.j2"),
            "parts": [str(paper / "toy.md.j2")],
            "style": str(paper / "report.css"),
            "results": [f"results/toy/{name}/result.json" for name in names],
            "figures": [f"results/figures/toy/{figure}.svg" for figure in outputs_toy.figure_names(toy)],
        }
        params = {"roles": roles.toy_roles({"toy": toy}), "settings": {"toy": toy}}
        compile_toy_report.main(job(files, {"markdown": "results/toy.md", "html": "results/toy.html"}, params))
    return (root / "results/toy.md").read_text(encoding="utf-8")


def test_the_chapter_shows_every_figure(chapter):
    text = compile_chapter(chapter, list(TOY))
    for figure in outputs_toy.figure_names(TOY):
        assert f"figures/toy/{figure}.svg" in text, figure


@pytest.mark.parametrize("name", TOY)
def test_the_chapter_compiles_with_a_single_experiment(chapter, name):
    text = compile_chapter(chapter, [name])
    assert text.count("figures/toy/") == len(outputs_toy.FIGURES[TOY[name]["kind"]])
