"""The rule graph that Snakemake prints as Mermaid, drawn as SVG so that the report needs no JavaScript."""

import re
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networkx import DiGraph

WIDTH, HEIGHT, GAP, RISE = 168, 28, 14, 46  # of a box, and between boxes, in px


def parse(mermaid: str) -> "DiGraph":
    """Graph of Mermaid flowchart text, rule names as the attribute `name` of the nodes; without cycles.

    Jobs have no cycle, but rules may (an early job of one before a late job of the other, or jobs of one rule in a
    row): the edge that closes a cycle is left out.
    """
    import networkx  # 0.3 s of start-up, needed once per report

    graph = networkx.DiGraph()
    for node, name in re.findall(r"^\s*(\w+)\s*\[\"?([^\]\"]+)\"?\]", mermaid, re.M):
        graph.add_node(node, name=name)
    for source, target in re.findall(r"^\s*(\w+)\s*-->\s*(\w+)", mermaid, re.M):
        if source in graph and target in graph and not networkx.has_path(graph, target, source):
            graph.add_edge(source, target)
    return graph


def layers(graph: "DiGraph") -> list[list[str]]:
    """Nodes by the length of the longest path that leads to them; within a layer near their predecessors."""
    import networkx

    order = {node: place for place, node in enumerate(graph)}
    rows = [sorted(row, key=order.__getitem__) for row in networkx.topological_generations(graph)]
    place: dict[str, float] = {}
    for row in rows:
        means = {node: fmean([place[parent] for parent in graph.predecessors(node)] or [0.0]) for node in row}
        row.sort(key=means.__getitem__)
        place |= {node: position - (len(row) - 1) / 2 for position, node in enumerate(row)}
    return rows


def svg(mermaid: str) -> str:
    """A layered drawing, read from top to bottom, of the transitive reduction: no edge where there is a longer path."""
    import networkx

    graph = parse(mermaid)
    reduction = networkx.transitive_reduction(graph)
    reduction.add_nodes_from(graph.nodes(data=True))
    rows = layers(reduction)
    width = max((len(row) for row in rows), default=1) * (WIDTH + GAP) + GAP
    height = len(rows) * (HEIGHT + RISE) + GAP
    at = {
        node: (width / 2 + (i - (len(row) - 1) / 2) * (WIDTH + GAP), GAP + depth * (HEIGHT + RISE))
        for depth, row in enumerate(rows)
        for i, node in enumerate(row)
    }
    lines = []
    for a, b in reduction.edges:
        (x, y), (u, w) = at[a], at[b]
        y, bend = y + HEIGHT, (w - y - HEIGHT) / 2
        lines.append(f'<path d="M{x:.0f} {y} C{x:.0f} {y + bend:.0f} {u:.0f} {w - bend:.0f} {u:.0f} {w}"/>')
    boxes = [
        f'<rect x="{x - WIDTH / 2:.0f}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x:.0f}" y="{y + 18}">{escape(reduction.nodes[node]["name"])}</text>'
        for node, (x, y) in at.items()
    ]
    return (
        f'<svg class="graph" role="img" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        "<style>.graph path{fill:none;stroke:#9aa7b3}.graph rect{fill:#fff;stroke:#1f6f8b}"
        ".graph text{font:12px Helvetica,Arial,sans-serif;text-anchor:middle;fill:#1d2733}</style>"
        f"{''.join(lines)}{''.join(boxes)}</svg>\n"
    )
