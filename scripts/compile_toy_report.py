"""Compile the toy chapter alone: its results, claims and figures in, Markdown and self-contained HTML out."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts, job
from scripts.monosem.reporting import claims, render, tables
from scripts.monosem.reporting.values import Values, collect


def main(inputs, roles: dict[str, str | None], settings: dict, path_to_markdown: str, path_to_html: str) -> None:
    """`inputs` names the files of the rule compile_toy_report."""
    folder, template = Path(path_to_markdown).parent, Path(inputs.template)
    figures = render.Figures(inputs.figures, str(folder))
    table = collect(inputs.results)
    published = yaml.safe_load(Path(inputs.claims).read_text(encoding="utf-8"))
    own = [claim for claim in published if claim["chapter"] == "toy"]
    context = {
        "roles": roles,
        "settings": settings,
        "claims": claims.check_claims(own, Values(table, roles)),
        "toy": {Path(path).parent.name: artefacts.read_json(path) for path in inputs.results},
        "tables": tables,
    }
    values = Values(table, roles)
    parts = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in inputs.parts}
    markdown, warnings = render.render(
        template.read_text(encoding="utf-8"), str(template), values, figures, context, parts
    )
    for warning in warnings:
        job.say(f"warning: {warning}")
    artefacts.write_text(markdown, path_to_markdown)
    style = Path(inputs.style).read_text(encoding="utf-8")
    artefacts.write_text(render.html(markdown, folder, style), path_to_html)
    counts = ", ".join(f"{number} {verdict}" for verdict, number in context["claims"]["counts"].items())
    job.say(f"{path_to_html}: {counts}")


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        inputs=snakemake.input,
        roles=snakemake.params.roles,
        settings=snakemake.params.settings,
        path_to_markdown=snakemake.output.markdown,
        path_to_html=snakemake.output.html,
    )
