"""Compile the toy chapter alone as Markdown and self-contained HTML from its results, claims and figures."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.reporting import render, tables
from scripts.monosem.reporting.ledger import claims, judge
from scripts.monosem.reporting.values import Values, collect


def main(job: Job) -> None:
    inputs, roles = job.input, job.params.roles
    folder, template = Path(job.output.markdown).parent, Path(inputs.template)
    figures = render.Figures(inputs.figures, str(folder))
    table = collect(inputs.results)
    context = {
        "roles": roles,
        "settings": job.params.settings,
        "claims": to_json(judge.check_claims(claims.TOY, Values(table, roles))),
        "toy": {Path(path).parent.name: artefacts.read_json(path) for path in inputs.results},
        "tables": tables,
    }
    values = Values(table, roles)
    parts = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in inputs.parts}
    markdown, warnings = render.render(
        template.read_text(encoding="utf-8"), str(template), values, figures, context, parts
    )
    for warning in warnings:
        say(f"warning: {warning}")
    artefacts.write_text(markdown, job.output.markdown)
    style = Path(inputs.style).read_text(encoding="utf-8")
    artefacts.write_text(render.html(markdown, folder, style), job.output.html)
    counts = ", ".join(f"{number} {verdict}" for verdict, number in context["claims"]["counts"].items())
    say(f"{job.output.html}: {counts}")


if __name__ == "__main__":
    run(main, snakemake)
