"""Compile the report as Markdown and self-contained HTML from its template, numbers, verdicts and figures."""

from pathlib import Path

from scripts.monosem.core import artefacts, timing
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.evaluation.fidelity import by_layer
from scripts.monosem.reporting import render, tables
from scripts.monosem.reporting.values import Values


def main(job: Job) -> None:
    inputs, roles = job.input, job.params.roles
    folder = Path(job.output.markdown).parent
    figures = render.Figures(inputs.figures, str(folder))
    claims, sites = artefacts.read_json(inputs.claims), [artefacts.read_json(path) for path in inputs.fidelities]
    context = {
        "roles": roles,
        "settings": job.params.settings,
        "claims": claims,
        "agreement": artefacts.read_json(inputs.agreement),
        "published": {row["id"]: row["published"] for row in claims["claims"]},
        "corpus": artefacts.read_json(inputs.corpus),
        "environment": artefacts.read_json(inputs.environment),
        "toy": {Path(path).parent.name: artefacts.read_json(path) for path in inputs.toys},
        "models": {Path(path).parent.name: artefacts.read_json(path) for path in inputs.trainings},
        "headline_site": next(s for s in sites if (s["model"], s["site"]) == (roles["model"], roles["site"])),
        "deep_sites": [site for site in sites if site["model"] == roles["language_model"]],
        "layer_columns": [
            {"sites": column, **by_layer.summary(column)}
            for column in by_layer.columns([site for site in sites if site["model"] == roles["language_model"]])
        ],
        "analyses": {},
        "dictionaries": {Path(path).stem: artefacts.read_json(path) for path in inputs.dictionaries},
        "interpretation": artefacts.read_json(inputs.interpretation),
        "contexts": artefacts.read_json(inputs.contexts)["contexts"],
        "cases": artefacts.read_json(inputs.cases),
        "scores": next(map(artefacts.read_json, inputs.scores), None),
        "notebooks": [Path(path).stem for path in inputs.notebooks],
        "rulegraph": Path(inputs.rulegraph).read_text(encoding="utf-8").strip(),
        "times": timing.times(folder / "benchmarks", folder / "logs"),
        "tables": tables,
    }
    for path in map(Path, inputs.analyses):
        context["analyses"].setdefault("/".join(Path(artefacts.below_results(path)).parts[1:-1]), {})[path.stem] = (
            artefacts.read_json(path)
        )
    values = Values(artefacts.read_json(inputs.metrics), roles)
    template = Path(inputs.template).read_text(encoding="utf-8")
    parts = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in inputs.parts}
    markdown, warnings = render.render(template, inputs.template, values, figures, context, parts)
    unused = values.unused()
    print(f"{len(unused)} values are not shown in the report:", *unused, sep="\n  ")
    for warning in warnings:
        say(f"warning: {warning}")
    artefacts.write_text(markdown, job.output.markdown)
    style = Path(inputs.style).read_text(encoding="utf-8")
    artefacts.write_text(render.html(markdown, folder, style), job.output.html)
    say(f"{job.output.html} with {len(figures.shown)} figures and {len(values.used)} values")


if __name__ == "__main__":
    run(main, snakemake)
