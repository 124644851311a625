"""Figures of models, fidelity and interpretation: drawn from result files, without torch, and true to the numbers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from scripts import plot_fidelity, plot_interpretation, plot_models, plot_sweeps
from scripts.monosem.core import artefacts
from scripts.monosem.figures import fidelity, frontier, language_models, latent_density, latents, unit_scores
from scripts.monosem.workflow import outputs
from tests.helpers import report_results
from tests.helpers.report_results import RUNS, SITE
from tests.helpers.running import job

HEADLINE = {"model": "first", "site": SITE, "run": "wide"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("made-up") / "results"
    report_results.make(root)
    return root


def test_every_figure_is_drawn(results, tmp_path, monkeypatch):
    monkeypatch.chdir(results.parent)
    site = f"results/evaluation/first/{SITE}"
    curves = [f"results/sae/first/{SITE}/{run}/training.jsonl" for run in RUNS]
    fidelities = [str(path.relative_to(results.parent)) for path in sorted(results.rglob("fidelity.json"))]
    inputs = {
        "models": {
            "curves": [f"results/models/{m}/training.jsonl" for m in ("first", "other", "deep")],
            "trainings": [f"results/models/{m}/training.json" for m in report_results.MODELS],
        },
        "fidelity": {
            "results": fidelities,
            "densities": f"{site}/densities.npz",
            "curves": curves,
            "norms": [path.replace("fidelity.json", "norms.npz") for path in fidelities],
        },
        "sweeps": {"fidelity": f"{site}/fidelity.json", "curves": curves},
        "interpretation": {
            "units": [f"results/evaluation/{m}/{SITE}/wide/interpretation.json" for m in ("first", "permuted")],
            "contexts": f"{site}/wide/contexts.json",
            "histograms": f"{site}/wide/contexts.npz",
            "cases": f"{site}/wide/cases.json",
            "scores": [f"{site}/wide/scores.json"],
            "units_scored": [f"{site}/wide/scores.npz"],
        },
    }
    params = {"headline": HEADLINE, "deep": "deep", "control": "permuted"}
    scripts = {"models": plot_models, "fidelity": plot_fidelity, "sweeps": plot_sweeps}
    for family, script in (scripts | {"interpretation": plot_interpretation}).items():
        svgs = [str(tmp_path / f"{name}.svg") for name in outputs.FIGURES[family]]
        script.main(job(inputs[family], {"svg": svgs}, params))
        for path in map(Path, svgs):
            assert path.stat().st_size > 2000 and path.with_suffix(".png").stat().st_size > 2000, path


def test_frontier_separates_autoencoders_and_baselines(results):
    document = artefacts.read_json(results / f"evaluation/first/{SITE}/fidelity.json")
    points = frontier.points(document)
    alone = [name for name in RUNS if not name.startswith("recipe")]
    assert [p.name for p in points if p.width] == ["recipe", *alone]  # a sweep is one point
    low, high = points[0].ranges["explained_variance"]
    assert low <= points[0].explained_variance <= high
    assert len([p for p in points if not p.width]) == len(frontier.AT_EQUAL_L0)
    figure = frontier.frontier(points)
    added = {float(y) for line in figure.axes[0].lines for y in line.get_ydata()}
    assert added == {p.ce_increase_nats for p in points}


def test_frontier_draws_variants_of_other_width_or_sparsity(results):
    document = artefacts.read_json(results / f"evaluation/first/{SITE}/fidelity.json")
    first, other = document["sweeps"]["recipe"].values()
    for run in other["runs"]:
        document["runs"][run] |= {"d_sae": 3 * document["runs"][first["runs"][0]]["d_sae"]}
    narrow, wide = [point for point in frontier.points(document) if point.name == "recipe"]
    assert (wide.width, wide.l0) == (3 * narrow.width, other["l0"]["mean"])
    assert not wide.starts_ablation


def test_bars_are_ordered_by_loss_added(results):
    document = artefacts.read_json(results / f"evaluation/first/{SITE}/fidelity.json")
    figure = fidelity.baselines(document, "wide")
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[0].startswith("autoencoder wide") and labels[-1] == "zero ablation"


def test_density_counts_the_silent():
    values = np.array([0.0, 0.0, 1e-4, 0.1, 0.2])
    figure = latent_density.density({"run": values}, n_tokens=20_000)
    text = figure.axes[0].get_title(loc="left")
    assert "2 never fire" in text and "1 fire < 10 times" in text
    assert sum(patch.get_data().values.sum() for patch in figure.axes[0].patches if isinstance(patch, StepPatch)) == 3


def test_a_site_without_contexts_gets_a_figure_with_the_reason():
    figures = (latents.activation_histograms([]), latents.specificity({}), latents.confusion({}))
    for figure in figures:
        assert figure.axes[0].texts[0].get_text().startswith("no planted context")


def test_losses_show_every_model(results):
    scores = {m: artefacts.read_json(results / f"models/{m}/training.json")["scores"] for m in ("first", "permuted")}
    figure = language_models.losses(scores)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["first", "permuted"]


def test_figure_and_report_jobs_do_not_import_torch():
    code = (
        "import sys\n"
        "from scripts import plot_models, plot_fidelity, plot_interpretation, collect_metrics, check_claims\n"
        "from scripts import compile_report\n"
        "heavy = {'torch', 'transformers', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pretrained_headline_has_no_curve_and_no_scores(tmp_path):
    """The figures of the models are drawn from those that were trained here."""
    scores = {name: {"nats_per_token": 3.0} for name in ("model", "mlp_zeroed", *language_models.NGRAMS)}
    for name, training in {"mine": {"kind": "pretrained"}, "a": {"kind": "trained", "scores": scores}}.items():
        artefacts.write_json(training, tmp_path / name / "training.json")
    artefacts.write_text(
        '{"tokens": 1, "loss_nats": 4.0}\n{"tokens": 2, "loss_nats": 3.0}\n', tmp_path / "a/training.jsonl"
    )
    files = {
        "curves": [f"{tmp_path}/a/training.jsonl"],
        "trainings": [f"{tmp_path}/{name}/training.json" for name in ("mine", "a")],
    }
    drawn = [f"{tmp_path}/figures/{name}.svg" for name in ("training-curves", "losses")]
    plot_models.main(job(files, {"svg": drawn}, {"headline": {"model": "mine"}}))
    losses = Path(drawn[1]).read_text()
    assert Path(drawn[0]).stat().st_size and ">a<" in losses and "mine" not in losses


def test_scores_that_were_not_asked_for_are_no_error():
    for figure in (unit_scores.populations(None, {}), unit_scores.by_interval(None)):
        assert "does not score" in figure.axes[0].texts[0].get_text()
