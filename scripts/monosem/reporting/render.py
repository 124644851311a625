"""Values, claims and figures -> Markdown -> one HTML file. Strict: what is missing is an error that lists all of it."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.meta

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.reporting import formats, prose_lint, rulegraph
from scripts.monosem.reporting.ledger.document import VERDICTS
from scripts.monosem.reporting.values import Values

if TYPE_CHECKING:
    from markdown_it.token import Token


class Figures:
    """The figures that the template shows, checked against the rule's inputs."""

    def __init__(self, paths: Iterable[str], folder: str) -> None:
        self.paths = {str(path) for path in paths}
        self.folder = folder
        self.shown: set[str] = set()
        self.missing: set[str] = set()

    def __call__(self, name: str, title: str) -> str:
        """Markdown of `figures/{name}.svg`, e.g. `figure("fidelity/frontier", "Frontier")`."""
        path = f"{self.folder}/figures/{name}.svg"
        self.shown.add(path)
        if path not in self.paths or not Path(path).is_file():
            self.missing.add(path)
        return f"![{title}](figures/{name}.svg)"


def render(
    source: str,
    name: str,
    values: Values,
    figures: Figures,
    context: Mapping[str, Any],
    parts: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """Fill the template: (Markdown, warnings about unused values and figures).

    In the template `v("key")` is a number of results/metrics.json, `has("key")` tells if it is there,
    `minus(key, key)` a difference, `figure(name, title)` an image, and `num`, `pct`, `nats`, `fixed`, `count`, `code`
    are filters. `parts` are templates that it may include, by file name.
    Raises: ArtefactError for digits typed into prose, undeclared names, missing values or figures: all at once.
    """
    problems, parts = [], dict(parts or {})
    typed = [line for file, text in {name: source, **parts}.items() for line in prose_lint.lint(text, file)]
    if typed:
        problems.append(
            "numbers typed into prose (use {{ v(...) }}, or end the line with {# literal: why #}):\n  "
            + "\n  ".join(typed)
        )
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        loader=jinja2.DictLoader(parts),
    )  # fmt: skip
    environment.filters |= formats.FILTERS
    given = {"v": values.get, "has": values.__contains__, "minus": values.minus, "figure": figures, **context}
    names = (jinja2.meta.find_undeclared_variables(environment.parse(text)) for text in (source, *parts.values()))
    undeclared = set().union(*names) - set(given)
    if undeclared:
        problems.append(f"names that nothing provides: {', '.join(sorted(undeclared))}")
        raise ArtefactError(f"{name}: " + "\n".join(problems))
    try:
        text = environment.from_string(source).render(given)
    except jinja2.UndefinedError as error:
        problems.append(f"{error.message}")
        text = ""
    if figures.missing:
        problems.append("figures that no rule input provides:\n  " + "\n  ".join(sorted(figures.missing)))
    try:
        values.require()
    except KeyError as error:
        problems.append(str(error))
    if problems:
        raise ArtefactError(f"{name}: " + "\n".join(problems))
    unshown = sorted(path for path in figures.paths - figures.shown if path.endswith(".svg"))
    return text, [f"figure not shown in the report: {path}" for path in unshown]


def _embed(match: re.Match, folder: Path) -> str:
    path = folder / match.group(1)
    if not path.is_file():
        return match.group(0)
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f'src="data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"'


def _contents(tokens: Sequence["Token"]) -> str:
    """Navigation over the headings, which get an anchor each."""
    lines, anchors = [], set()
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        title = "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))
        anchor = re.sub(r"[^\w]+", "-", title.lower()).strip("-")
        while anchor in anchors:
            anchor += "-"
        anchors.add(anchor)
        opening.attrSet("id", anchor)
        if opening.tag in ("h2", "h3"):
            deep = ' class="deep"' if opening.tag == "h3" else ""
            lines.append(f'<a href="#{anchor}"{deep}>{escape(title)}</a>')
    return f"<nav>{''.join(lines)}</nav>"


def html(markdown: str, folder: str | Path, style: str) -> str:
    """One file that opens without a network: style and the figures below `folder` inside, Mermaid drawn as SVG."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    navigation = _contents(tokens)
    for token, inline in pairwise(tokens):
        if token.type == "paragraph_open" and inline.children and inline.children[0].type == "image":
            token.attrSet("class", "figure")
    for token in tokens:
        if token.type == "fence" and token.info.strip() == "mermaid":
            token.type, token.content = "html_block", rulegraph.svg(token.content)
    body = parser.renderer.render(tokens, parser.options, {})
    body = re.sub(r'src="(figures/[^"]+)"', lambda match: _embed(match, Path(folder)), body)
    for verdict in VERDICTS:
        name = verdict.replace(" ", "-")
        body = re.sub(rf"<td([^>]*)>{verdict}\b", rf'<td\1><span class="{name}">{verdict}</span>', body)
    title = re.search(r"^# (.+)$", markdown, re.M)
    first_heading_end = body.find("</h1>") + len("</h1>")
    body = body[:first_heading_end] + navigation + body[first_heading_end:]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title.group(1) if title else 'Report')}</title><style>{style}</style></head>\n"
        f"<body>\n{body}</body></html>\n"
    )
