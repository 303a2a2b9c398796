"""A trace as one page: the graph drawn, and below it the facts of each node. Nothing is fetched, and there is no script."""

import html
from collections.abc import Mapping
from typing import Any

from globolatte_lineage.graph import Node, Trace
from globolatte_ml.pages import html_page, literal, table

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 250, 58, 215, 44, 12
LETTERS = 28
"""Of a title that a box has room for on one line; it has two."""


def as_html(trace: Trace) -> str:
    """The page. Facts are shown as they are on record."""
    root = trace.node(trace.root)
    notes = [f"- {literal(note)}" for note in trace.notes]
    sections = [f"### {literal(node.title)}\n\n{_facts(node.facts)}" for node in trace.nodes if node.facts]
    parts = [
        f"# {literal(root.title)}",
        *(["\n".join(notes)] if notes else []),
        "GRAPH",
        "## What is on record",
        *sections,
    ]
    return html_page(root.title, "\n\n".join(parts)).replace("<p>GRAPH</p>", graph(trace), 1)


def graph(trace: Trace) -> str:
    """The drawing, as SVG: what something came of lies to the right of it."""
    places: dict[str, tuple[int, int]] = {}
    filled: dict[int, int] = {}
    for depth, _, node in trace.walk():
        row = filled.get(depth, 0)
        places[node.id], filled[depth] = (depth, row), row + 1
    width, height = COLUMN * len(filled), ROW * max(filled.values()) + 2 * MARGIN
    lines = [
        _line(places[edge.source], places[edge.target], edge.relation)
        for edge in trace.edges
        if {edge.source, edge.target} <= places.keys()
    ]
    boxes = [_box(trace.node(node_id), place) for node_id, place in places.items()]
    title = html.escape(f"Lineage of {trace.node(trace.root).title}")
    return (
        f'<div style="overflow-x:auto"><svg role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;height:auto;min-width:600px" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(lines)}{"".join(boxes)}</svg></div>'
    )


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return MARGIN + COLUMN * place[0], MARGIN + ROW * place[1]


def _line(source: tuple[int, int], target: tuple[int, int], relation: str) -> str:
    left, right = sorted((source, target))
    (x1, y1), (x2, y2) = _corner(left), _corner(right)
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="#a08b75"><title>{html.escape(relation)}</title></path>'


def _box(node: Node, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    words, lines = node.title.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > LETTERS and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    shown = [line if len(line) <= LETTERS else f"{line[: LETTERS - 1]}…" for line in lines[:2]]
    if len(lines) > len(shown) and not shown[-1].endswith("…"):
        shown[-1] = f"{shown[-1][: LETTERS - 1]}…"
    text = "".join(
        f'<text x="{x + 8}" y="{y + 18 + 16 * at}" fill="#2b2118">{html.escape(line)}</text>'
        for at, line in enumerate(shown)
    )
    return (
        f'<g><title>{html.escape(node.title)}</title><rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#f5efe8" '
        f'stroke="#8a6f52"/>{text}</g>'
    )


def _facts(facts: Mapping[str, Any]) -> str:
    rows = [(literal(name.replace("_", " ")), literal(_said(value))) for name, value in facts.items()]
    return table(("fact", "as recorded"), rows)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_said(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(_said(one) for one in value)
    return f"{value:.9g}" if isinstance(value, float) else str(value)
