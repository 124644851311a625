"""The rule graph that Snakemake prints as Mermaid, drawn as SVG so that the report needs no JavaScript."""

import re
from html import escape

WIDTH, HEIGHT, GAP, RISE = 168, 28, 14, 46  # of a box, and between boxes, in px


def parse(mermaid: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Names by node id, and edges (from, to), of Mermaid flowchart text.

    A rule whose jobs read from one another has an edge to itself, which says nothing of the order of rules: left out.
    """
    names = dict(re.findall(r"^\s*(\w+)\s*\[\"?([^\]\"]+)\"?\]", mermaid, re.M))
    edges = [(a, b) for a, b in re.findall(r"^\s*(\w+)\s*-->\s*(\w+)", mermaid, re.M) if a in names and b in names]
    return names, [(a, b) for a, b in edges if a != b]


def reduced(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Edges without those that a longer path already says (transitive reduction): what reads from what reads from …"""
    children: dict[str, set[str]] = {}
    for a, b in edges:
        children.setdefault(a, set()).add(b)

    def reaches(start: str, end: str) -> bool:
        seen, waiting = set(), [start]
        while waiting:
            node = waiting.pop()
            if node == end:
                return True
            if node not in seen:
                seen.add(node)
                waiting.extend(children.get(node, ()))
        return False

    return [(a, b) for a, b in dict.fromkeys(edges) if not any(reaches(c, b) for c in children[a] - {a, b})]


def layers(names: dict[str, str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Nodes by the length of the longest path that leads to them; within a layer near what they read from.

    Jobs have no cycle, but rules may (an early job of one before a late job of the other): the edge that would close
    it counts for nothing.
    """
    parents: dict[str, list[str]] = {node: [a for a, b in edges if b == node] for node in names}
    depth: dict[str, int] = {}

    def depth_of(node: str, below: tuple[str, ...] = ()) -> int:
        if node not in depth:
            path = (*below, node)
            above = (depth_of(parent, path) for parent in parents[node] if parent not in path)
            depth[node] = 1 + max(above, default=-1)
        return depth[node]

    rows: list[list[str]] = [[] for _ in range(1 + max((depth_of(node) for node in names), default=-1))]
    for node in names:
        rows[depth_of(node)].append(node)
    place: dict[str, float] = {}
    for row in rows:
        known = {node: [place[parent] for parent in parents[node] if parent in place] for node in row}
        row.sort(key=lambda node: sum(known[node]) / len(known[node]) if known[node] else 0.0)
        place |= {node: position - (len(row) - 1) / 2 for position, node in enumerate(row)}
    return rows


def svg(mermaid: str) -> str:
    """A layered drawing, read from top to bottom, without edges that a longer path already says."""
    names, edges = parse(mermaid)
    edges = reduced(edges)
    rows = layers(names, edges)
    width = max((len(row) for row in rows), default=1) * (WIDTH + GAP) + GAP
    height = len(rows) * (HEIGHT + RISE) + GAP
    at = {
        node: (width / 2 + (i - (len(row) - 1) / 2) * (WIDTH + GAP), GAP + depth * (HEIGHT + RISE))
        for depth, row in enumerate(rows)
        for i, node in enumerate(row)
    }
    lines = []
    for a, b in edges:
        (x, y), (u, w) = at[a], at[b]
        y, bend = y + HEIGHT, (w - y - HEIGHT) / 2
        lines.append(f'<path d="M{x:.0f} {y} C{x:.0f} {y + bend:.0f} {u:.0f} {w - bend:.0f} {u:.0f} {w}"/>')
    boxes = [
        f'<rect x="{x - WIDTH / 2:.0f}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x:.0f}" y="{y + 18}">{escape(names[node])}</text>'
        for node, (x, y) in at.items()
    ]
    return (
        f'<svg class="graph" role="img" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        "<style>.graph path{fill:none;stroke:#9aa7b3}.graph rect{fill:#fff;stroke:#1f6f8b}"
        ".graph text{font:12px Helvetica,Arial,sans-serif;text-anchor:middle;fill:#1d2733}</style>"
        f"{''.join(lines)}{''.join(boxes)}</svg>\n"
    )
