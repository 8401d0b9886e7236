"""The graph of what depends on what, as a picture: SVG. Pure."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache
from html import escape
from itertools import pairwise

from ..resources.graph import Edge, Graph, Node
from .layout import HEIGHT, WIDTH, Layout, Place, layout

MOST_NODES = 200
"""Beyond these a picture helps nobody."""
_LONGEST_NAME = 22
_BEND = 45


@lru_cache(maxsize=4)  # It takes milliseconds, and is asked for each second by each who looks.
def drawing(graph: Graph, out: Set[str] = frozenset(), touched: Set[str] = frozenset()) -> str:
    """Return *graph* as SVG; names in *out* are not up, and those in *touched* depend on one that is not.

    Both are frozen sets. Where there are more than `MOST_NODES`, a sentence instead.
    """
    if not graph.nodes:
        return "<p>Nothing depends on anything yet.</p>"
    if len(graph.nodes) > MOST_NODES:
        return f'<p>{len(graph.nodes)} nodes are too many to draw: see <a href="api/graph?form=text">the text</a>.</p>'
    found = layout(graph)
    edges = "".join(_edge(edge, found) for edge in graph.edges)
    nodes = "".join(_node(node, found, _state(node, out, touched)) for node in graph.nodes)
    size = f'viewBox="0 0 {found.width} {found.height}" width="{found.width}" height="{found.height}"'
    return (
        f'<svg class="graph" {size} role="img" aria-label="What depends on what; the same in words is below">'
        f"{edges}{nodes}</svg>"
    )


def _state(node: Node, out: Set[str], touched: Set[str]) -> str:
    if node.name in out and node.kind in ("resource", "upstream"):
        return "out"
    return "touched" if node.name in touched else "well"


def _node(node: Node, found: Layout, state: str) -> str:
    place = found.places[node]
    name = node.name if len(node.name) <= _LONGEST_NAME else node.name[: _LONGEST_NAME - 1] + "…"
    says = {"out": ", not up", "touched": ", touched by an outage", "well": ""}[state]
    return (
        f'<g class="node {node.kind} {state}"><title>{escape(str(node))}{says}</title>'
        f'<rect x="{place.x}" y="{place.y}" width="{WIDTH}" height="{HEIGHT}" rx="{_corner(node)}"/>'
        f'<text x="{place.x + 10}" y="{place.y + 17}">{escape(name)}</text></g>'
    )


def _corner(node: Node) -> int:
    return {"route": 13, "tag": 0}.get(node.kind, 6)


def _edge(edge: Edge, found: Layout) -> str:
    places = [found.places[edge.dependent], *found.bends.get(edge, ()), found.places[edge.dependency]]
    line = f"M{places[0].x + WIDTH} {_middle(places[0])}"
    for before, after in pairwise(places):
        line += (
            f"C{before.x + WIDTH + _BEND} {_middle(before)} {after.x - _BEND} {_middle(after)} "
            f"{after.x} {_middle(after)}"
        )
        if after is not places[-1]:
            line += f"h{WIDTH}"
    return f'<path class="edge{" learned" if edge.is_learned else ""}" d="{line}"/>'


def _middle(place: Place) -> int:
    return place.y + HEIGHT // 2
