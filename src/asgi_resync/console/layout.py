"""Where the nodes of a graph stand when it is drawn: in columns, what depends left of what it depends on. Pure.

Columns by longest path, rows by the mean of the neighbours, with a place of its own for an edge wherever it passes a
column (Sugiyama, Tagawa and Toda, IEEE Trans. SMC 11 (2), 1981). Of a circle, one edge points backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from ..resources.graph import Edge, Graph, Node

COLUMN = 250
ROW = 38
WIDTH = 190
HEIGHT = 26
MARGIN = 8
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where the box of a node begins, in pixels from the upper left corner."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class _Bend:
    """Where an edge passes a column, so that it crosses no box there."""

    edge: Edge
    column: int


_Spot: TypeAlias = Node | _Bend


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The size of the whole, the place of each node, and the places that an edge passes on its way, in pixels."""

    width: int
    height: int
    places: Mapping[Node, Place]
    bends: Mapping[Edge, Sequence[Place]]


def layout(graph: Graph) -> Layout:
    """Return where to draw the nodes of *graph*."""
    depths = _depths(graph)
    columns, links = _columns(graph, depths)
    _put_in_order(columns, links)
    tallest = max((len(column) for column in columns), default=0)
    found = {
        # Short columns stand in the middle.
        spot: Place(MARGIN + COLUMN * number, MARGIN + (tallest - len(column)) * ROW // 2 + ROW * row)
        for number, column in enumerate(columns)
        for row, spot in enumerate(column)
    }
    bends: dict[Edge, list[Place]] = {}
    for spot, place in found.items():  # from left to right
        if isinstance(spot, _Bend):
            bends.setdefault(spot.edge, []).append(place)
    return Layout(
        width=2 * MARGIN + max(len(columns) - 1, 0) * COLUMN + WIDTH,
        height=2 * MARGIN + max(tallest - 1, 0) * ROW + HEIGHT,
        places={spot: place for spot, place in found.items() if isinstance(spot, Node)},
        bends=bends,
    )


def _depths(graph: Graph) -> Mapping[Node, int]:
    """Return the column of each node: by the length of the longest way to it, and last if it depends on nothing."""
    forward = _without_circles(graph)
    above: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
    for edge in forward:
        above[edge.dependency].append(edge.dependent)
    depths: dict[Node, int] = {}
    for node in TopologicalSorter(above).static_order():
        depths[node] = max((depths[other] + 1 for other in above[node]), default=0)
    last, needing = max(depths.values(), default=0), {edge.dependent for edge in forward}
    return {node: depth if node in needing else last for node, depth in depths.items()}


def _columns(graph: Graph, depths: Mapping[Node, int]) -> tuple[list[list[_Spot]], list[tuple[_Spot, _Spot]]]:
    """Return what stands in each column, edges that pass included, and what is to stand near what."""
    columns: list[list[_Spot]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for node in graph.nodes:
        columns[depths[node]].append(node)
    links: list[tuple[_Spot, _Spot]] = []
    for edge in graph.edges:
        last: _Spot = edge.dependent
        for number in range(depths[edge.dependent] + 1, depths[edge.dependency]):
            bend = _Bend(edge, number)
            columns[number].append(bend)
            links.append((last, bend))
            last = bend
        links.append((last, edge.dependency))
    return columns, links


def _without_circles(graph: Graph) -> Sequence[Edge]:
    """Return the edges of *graph* but some, so that no circle is left."""
    edges = [edge for edge in graph.edges if edge.dependent != edge.dependency]
    while True:
        sorter: TopologicalSorter[Node] = TopologicalSorter()
        for edge in edges:
            sorter.add(edge.dependency, edge.dependent)
        try:
            sorter.prepare()
        except CycleError as error:
            # Each of a circle comes before the next.
            needing, needed = error.args[1][:2]
            edges = [edge for edge in edges if (edge.dependent, edge.dependency) != (needing, needed)]
        else:
            return edges


def _put_in_order(columns: Sequence[list[_Spot]], links: Sequence[tuple[_Spot, _Spot]]) -> None:
    """Put each spot at the mean height of what it is linked with, some times to and fro."""
    near: dict[_Spot, list[_Spot]] = {spot: [] for column in columns for spot in column}
    for one, other in links:
        near[one].append(other)
        near[other].append(one)
    heights = {spot: row / len(column) for column in columns for row, spot in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            means = {
                spot: sum(heights[other] for other in near[spot]) / len(near[spot]) if near[spot] else heights[spot]
                for spot in column
            }
            column.sort(key=means.__getitem__)
            heights.update({spot: row / len(column) for row, spot in enumerate(column)})
