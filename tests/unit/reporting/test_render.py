"""The report is strict: no typed numbers, nothing missing, figures embedded, the rule graph drawn."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import compile_report, verify_run
from scripts.monosem.core import artefacts
from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.core.timing import times
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.reporting import rulegraph, values
from scripts.monosem.reporting.formats import cell, code, fixed, nats, number, percent, quote, table
from scripts.monosem.reporting.ledger import claims, judge
from scripts.monosem.reporting.prose_lint import lint
from scripts.monosem.reporting.render import Figures, html, render
from scripts.monosem.reporting.values import Values
from scripts.monosem.text.visible import visible
from scripts.monosem.workflow import outputs, outputs_dictionaries, outputs_toy, plan, roles
from scripts.monosem.workflow import outputs_analysis as analysis_catalogue
from tests.helpers import dictionary_results, report_results
from tests.helpers.running import job


@pytest.mark.parametrize(
    "line",
    [
        "plain words only",
        "the L0 of GPT-2 on base64",
        "a value of {{ v('a:b1') | num }} here",
        "`W_enc [512, 4096]` in code",
        "## Chapter 2",
        "see [figure 3](figures/3.png) there",
        "as Bricken et al. 2023 and Elhage et al. (2022) say",
        "Sharkey, Braun & Millidge 2022 found",
        "{% for i in range(3) %}{% endfor %}",
        "{# 3 comments #}",
        "at https://example.org/2023/12 there",
        "arXiv 2406.04093",
        "exactly 12 of them {# literal: a count of months #}",
        "```\nx = 3\n```",
    ],
)
def test_allowed_lines(line):
    assert lint(line) == []


@pytest.mark.parametrize(
    "line", ["recovers 98 % of it", "L0 = 16 is", "GPT-22 is", "in 2023 they", "{{ x }} of 12", "12 {# literal: #}"]
)
def test_typed_numbers_are_found_with_their_line(line):
    assert lint(f"first\n\n{line}\nlast", "t.md") == [f"t.md:3: {line}"]


@given(st.text(alphabet="ab`12 \n{}#%[]()", max_size=80))
def test_lint_never_reports_a_line_without_a_digit(text):
    for found in lint(text, "x"):
        assert re.search(r"\d", found.split(": ", 1)[1])


def make_values(**numbers) -> Values:
    return Values({key: {"value": value, "unit": "", "source": "results/a.json"} for key, value in numbers.items()}, {})


def test_all_problems_are_listed_at_once(tmp_path):
    source = "12 eggs\n{{ v('models/a/training:x') | num }} {{ v('toy/b:y') }}\n{{ figure('toy/norms', 'Norms') }}\n"
    with pytest.raises(ArtefactError) as error:
        render(source, "t.md.j2", make_values(), Figures([], str(tmp_path)), {})
    for part in ("t.md.j2:1: 12 eggs", "results/models/a/training.json", "results/toy/b.json", "toy/norms.svg"):
        assert part in str(error.value)


def test_names_that_nothing_provides_are_all_listed(tmp_path):
    with pytest.raises(ArtefactError, match="alpha, beta"):
        render("{{ beta }} {{ alpha }}", "t", make_values(), Figures([], str(tmp_path)), {})


def test_figures_must_be_inputs_and_unshown_ones_are_warned_about(tmp_path):
    folder = tmp_path / "figures" / "toy"
    folder.mkdir(parents=True)
    for name in ("norms", "other"):
        (folder / f"{name}.svg").write_text("<svg/>")
    paths = [str(folder / "norms.svg"), str(folder / "other.svg")]
    text, warnings = render("{{ figure('toy/norms', 'Norms') }}", "t", make_values(), Figures(paths, str(tmp_path)), {})
    assert text == "![Norms](figures/toy/norms.svg)"
    assert warnings == [f"figure not shown in the report: {paths[1]}"]


def test_html_stands_alone(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    markdown = (
        "# Title\n\n## One\n\n![A](figures/a.svg)\n\n| a | verdict |\n| --- | --- |\n| x | not reproduced |\n\n"
        "```mermaid\nflowchart TB\n  id0[all]\n  id1[plot <x>]\n  id1 --> id0\n```\n"
    )
    page = html(markdown, tmp_path, "body { color: black }")
    assert "data:image/svg+xml;base64," in page and "figures/a.svg" not in page
    assert '<a href="#one">One</a>' in page and '<h2 id="one">' in page
    assert '<span class="not-reproduced">not reproduced</span>' in page
    assert "plot &lt;x&gt;" in page and "<script" not in page
    assert not re.search(r'(src|href)="https?://', page)


@given(st.text(alphabet="a`|\n\t <&*_", max_size=20))
def test_code_spans_survive_a_table(text):
    from markdown_it import MarkdownIt

    page = MarkdownIt().enable("table").render(table(["a", "b"], [[code(text), "end"]]))
    assert page.count("<td") == 2
    assert ("<code>" in page) == bool(text)


@given(st.text(st.characters() | st.sampled_from("`|\\ \n<&*_$"), min_size=1, max_size=12))
def test_any_text_reaches_html_as_itself_in_and_outside_tables(text):
    from html import unescape

    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    for page in (parser.render(table(["a"], [[code(text)]])), parser.render(f"- {quote(text)} end")):
        shown = re.search(r"<code>(.*)</code>", page, re.DOTALL)
        assert unescape(shown.group(1)) == visible(text)
        page.encode()


def test_number_formats():
    assert [number(x) for x in (0.98765, 12.345, 0.012345, 123456.0, 4096, 0, 0.00001234, None, True)] == [
        "0.988", "12.3", "0.0123", "123,456", "4096", "0", "1.2e-05", "not defined", "yes",
    ]  # fmt: skip
    assert fixed(-1e-9) == "0.000" and percent(-1e-9) == "0.0 %"
    assert percent(0.98612) == "98.6 %" and nats(0.1234) == "0.123 nats" and cell("a|b\nc") == "a\\|b c"


def test_rule_graph_layers_follow_the_longest_path():
    text = 'flowchart TB\n\tid0[all]\n\tid1["a"]\n\tid2[b]\n\tid1 --> id2\n\tid2 --> id0\n\tid1 --> id0'
    graph = rulegraph.parse(text)
    assert dict(graph.nodes(data="name")) == {"id0": "all", "id1": "a", "id2": "b"}
    assert rulegraph.layers(graph) == [["id1"], ["id2"], ["id0"]]
    assert rulegraph.svg(text).count("<rect") == 3
    assert rulegraph.svg(text).count("<path") == 2  # id1 --> id0 is implied by the path through id2


def test_a_rule_graph_may_have_cycles_although_jobs_have_none():
    nodes = "flowchart TB\n\tid0[all]\n\tid1[extract]\n\tid2[train]\n"
    graph = rulegraph.parse(nodes + "\tid1 --> id1\n\tid1 --> id2\n\tid2 --> id1\n\tid2 --> id0\n")
    assert list(graph.edges) == [("id1", "id2"), ("id2", "id0")]
    assert rulegraph.layers(graph) == [["id1"], ["id2"], ["id0"]]


TOY_FIGURES = outputs_toy.figure_names(report_results.CONFIG["toy"])


def compile_made_up(root: Path, config: dict, pretrained: str | None = None) -> Path:
    """The real template and the real claims, compiled from made-up results of other names and fewer runs."""
    repository = Path.cwd()
    folder = root / "results"
    report_results.make(folder)
    scored = folder / f"evaluation/first/{report_results.SITE}/wide/contexts.json"
    if not config["corpus"]["planted"]["share"]:
        artefacts.write_json(artefacts.read_json(scored) | {"contexts": {}}, scored)
    if pretrained:
        artefacts.write_json({"kind": "pretrained"}, folder / f"models/{pretrained}/training.json")
    the_plan = plan.make_plan(config)
    analysed = analysis_catalogue.figure_names(config, the_plan)
    names = [("toy", name) for name in TOY_FIGURES] + [("analysis", name) for name in analysed]
    names += [(family, name) for family, all_of_it in outputs.FIGURES.items() for name in all_of_it]
    names += [("dictionaries", name) for name in outputs_dictionaries.figure_names(config)]
    for part, document in dictionary_results.made()[0].items():
        artefacts.write_json(document, root / outputs_dictionaries.results(config)[part])
    for family, name in names:
        path = folder / f"figures/{family}/{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "rulegraph.mmd").write_text("flowchart TB\n\tid0[all]\n\tid1[train]\n\tid1 --> id0\n")
    playing = roles.roles(config, the_plan.language_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        present = [path for path in outputs.results(config, the_plan) if Path(path).exists()]
        table = values.collect(present)
        artefacts.write_json(table, "results/metrics.json")
        ledger = judge.check_claims(claims.ALL, Values(table, playing), outputs.stand_ins(the_plan))
        artefacts.write_json(to_json(ledger), "results/claims.json")
        verify_run.main(
            job(
                {name: f"results/{name}.json" for name in ("metrics", "claims", "environment")},
                {"agreement": "results/agreement.json"},
                {"reference": "results/none.json", "configuration": ""},
            )
        )
        read = f"results/evaluation/first/{report_results.SITE}/wide"
        files = {
            "template": str(repository / "paper/report.md.j2"),
            "parts": [str(repository / f"paper/{name}.md.j2") for name in ("toy", "dictionaries", "language_model")],
            "style": str(repository / "paper/report.css"),
            "metrics": "results/metrics.json",
            "claims": "results/claims.json",
            "agreement": "results/agreement.json",
            "rulegraph": "results/rulegraph.mmd",
            "environment": "results/environment.json",
            "corpus": "results/data/made-up/manifest.json",
            "toys": [f"results/toy/{name}/result.json" for name in report_results.CONFIG["toy"]],
            "trainings": outputs.trainings(the_plan),
            "fidelities": outputs.fidelities(the_plan),
            "analyses": analysis_catalogue.results(the_plan),
            "dictionaries": list(outputs_dictionaries.results(config).values()),
            "interpretation": f"{read}/interpretation.json",
            "contexts": f"{read}/contexts.json",
            "cases": f"{read}/cases.json",
            "scores": outputs.scored(config, the_plan, "scores.json"),
            "figures": [f"results/figures/{family}/{name}.svg" for family, name in names],
            "notebooks": ["results/notebooks/token_activations.html"],
        }
        params = {"roles": playing, "settings": outputs.settings(config, the_plan)}
        compile_report.main(job(files, {"markdown": "results/report.md", "html": "results/report.html"}, params))
    return folder


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_made_up(tmp_path_factory.mktemp("made-up"), report_results.CONFIG)


def test_a_pretrained_headline_model_is_called_so_and_its_scores_are_left_out(compiled, tmp_path):
    folder = compile_made_up(tmp_path, report_results.CONFIG, pretrained="first")
    trained, pretrained = ((path / "report.md").read_text(encoding="utf-8") for path in (compiled, folder))
    for passage in ("A one-layer transformer was trained", "better per token than"):
        assert passage in trained and passage not in pretrained
    assert "The model `first` is pretrained: it was not trained here" in pretrained
    verdicts = {row["id"]: row for row in artefacts.read_json(folder / "claims.json")["claims"]}
    assert verdicts["mlp-matters"]["verdict"] == "not attempted"


def test_without_planted_contexts_the_report_has_no_section_about_them(compiled, tmp_path):
    corpus = report_results.CONFIG["corpus"]
    nothing_planted = corpus | {"planted": corpus["planted"] | {"share": 0.0}}
    folder = compile_made_up(tmp_path, report_results.CONFIG | {"corpus": nothing_planted})
    with_them, without = ((path / "report.md").read_text(encoding="utf-8") for path in (compiled, folder))
    for passage in ("### Planted contexts", "written for this experiment", "planted documents of", "are planted"):
        assert passage in with_them and passage not in without
    assert "### Latents and neurons drawn at random" in without


def test_the_report_compiles_for_another_configuration(compiled):
    markdown = (compiled / "report.md").read_text(encoding="utf-8")
    assert "the autoencoder `wide` replace" in markdown
    assert "This chapter ran on a stand-in" in markdown and "`deep`" in markdown
    assert "onelayer-a" not in markdown and "topk-4096" not in markdown
    assert "{{" not in markdown and "None" not in markdown
    page = (compiled / "report.html").read_text(encoding="utf-8")
    others = analysis_catalogue.figure_names(report_results.CONFIG, plan.make_plan(report_results.CONFIG))
    drawn = len(TOY_FIGURES) + len(others) + sum(map(len, outputs.FIGURES.values()))
    of_dictionaries = markdown.count("](figures/dictionaries/")
    assert of_dictionaries >= 7
    drawn += of_dictionaries
    assert page.count("data:image/svg+xml") == drawn
    assert '<svg class="graph"' in page and "<table>" in page


def test_claims_without_a_run_for_them_are_not_attempted(compiled):
    rows = {row["id"]: row for row in artefacts.read_json(compiled / "claims.json")["claims"]}
    assert rows["superposition-with-sparsity"]["verdict"] == "reproduced"
    assert rows["auxk"]["verdict"] == "not attempted"  # this configuration has no such sweep
    assert rows["resampling"]["verdict"] == "not reproduced"  # it has one for this, and the results are made up
    assert rows["human-rating"]["verdict"] == "not attempted"
    for row in rows.values():
        if row["verdict"] == "reproduced":
            judged = [part for control in row["controls"] for part in control["parts"] if part["must_fail"]]
            assert all(part["state"] == "fails" for part in judged), row["id"]


def test_numbers_of_the_report_are_numbers_of_the_results(compiled):
    markdown = (compiled / "report.md").read_text(encoding="utf-8")
    run = artefacts.read_json(compiled / f"evaluation/first/{report_results.SITE}/fidelity.json")["runs"]["wide"]
    assert f"with\n{run['l0']:.1f} active latents per token" in markdown
    assert percent(run["ce_loss_score"]) in markdown


def test_times_are_read_from_benchmarks_and_logs(tmp_path):
    for rule, name, seconds, rss in (
        ("train", "a", "10.0", "100.0"),
        ("train", "b", "20.0", "300.5"),
        ("plot", "p", "1.0", "NA"),
    ):
        (tmp_path / f"benchmarks/{rule}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"logs/{rule}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"benchmarks/{rule}/{name}.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t{rss}\n")
        (tmp_path / f"logs/{rule}/{name}.log").write_text("begin\nfinished: 4.5 s of work\n")
    train, plot = times(tmp_path / "benchmarks", tmp_path / "logs")
    assert (train.rule, train.jobs, train.wall_s, train.work_s, train.peak_bytes) == ("train", 2, 30.0, 9.0, 300.5e6)
    assert (plot.rule, plot.peak_bytes) == ("plot", None)


def test_times_without_any_benchmark(tmp_path):
    assert times(tmp_path / "none", tmp_path / "nothing") == []
