"""What depends on what: resources, upstreams, routes, tags and callables, as one graph to be asked and drawn. Pure.

An edge goes from what depends to what it depends on. It is declared by `depends_on`, `upstreams` and `tags`, or
learned: something was seen to call an upstream, or to use a kept value, while it made its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from graphlib import TopologicalSorter
from typing import Literal, TypeAlias, get_args

from ..errors import RuleError

NodeKind: TypeAlias = Literal["resource", "upstream", "callable", "route", "tag"]

SHAPES: Mapping[NodeKind, tuple[str, str]] = {
    "resource": ("[(", ")]"),
    "upstream": ("{{", "}}"),
    "callable": ("[[", "]]"),
    "route": ("([", "])"),
    "tag": (">", "]"),
}
"""How Mermaid draws each kind."""


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """Something that depends or is depended on. A route is called by its rule's pattern, a callable by its name."""

    kind: NodeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """*dependent* depends on *dependency*; `is_learned` if nothing but experience says so."""

    dependent: Node
    dependency: Node
    _: KW_ONLY
    is_learned: bool = False


class Graph:
    """What depends on what at one moment. It does not change; ask `resync.graph` again for what was learned since.

    Where a method takes a node, a name does too: it stands for all nodes of that name. One that is not there depends
    on nothing, and nothing on it.
    """

    def __init__(self, nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> None:
        declared: dict[tuple[Node, Node], Edge] = {}
        for edge in edges:
            pair = (edge.dependent, edge.dependency)
            if pair not in declared or declared[pair].is_learned:
                declared[pair] = edge
        self.edges: tuple[Edge, ...] = tuple(sorted(declared.values()))
        """Each pair once: one that is declared and learned counts as declared."""
        ends = {end for edge in self.edges for end in (edge.dependent, edge.dependency)}
        self.nodes: tuple[Node, ...] = tuple(sorted({*nodes, *ends}))
        self._down: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        self._up: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for edge in self.edges:
            self._down[edge.dependent].append(edge.dependency)
            self._up[edge.dependency].append(edge.dependent)

    def dependencies(self, of: Node | str) -> tuple[Node, ...]:
        """Return all that *of* depends on, through others too, in the order of kind and name."""
        return self._reached(of, self._down)

    def dependents(self, of: Node | str) -> tuple[Node, ...]:
        """Return all that depends on *of*, through others too, in the order of kind and name."""
        return self._reached(of, self._up)

    def impact(self, of: Node | str) -> Mapping[NodeKind, tuple[str, ...]]:
        """Return the names of what an outage of *of* touches, by kind; kinds of which there are none are left out."""
        found: dict[NodeKind, tuple[str, ...]] = {}
        touched = self.dependents(of)
        for kind in get_args(NodeKind):
            if names := tuple(node.name for node in touched if node.kind == kind):
                found[kind] = names
        return found

    def around(self, of: Node | str) -> Graph:
        """Return the part that an outage of *of* touches: *of*, all that depends on it, and the edges between these."""
        starts = [of] if isinstance(of, Node) else [node for node in self.nodes if node.name == of]
        kept = {*starts, *self.dependents(of)}
        return Graph(kept, (edge for edge in self.edges if edge.dependent in kept and edge.dependency in kept))

    def cycles(self) -> tuple[tuple[Node, ...], ...]:
        """Return the groups of nodes that depend on each other in a circle: the strongly connected ones (Tarjan 1972).

        Resources never do. Callables may: two that use each other's kept values, say.
        """
        return tuple(tuple(sorted(group)) for group in _strongly_connected(self._down) if self._is_circle(group))

    def start_order(self) -> tuple[str, ...]:
        """Return the names of the resources so that each comes after all that it depends on."""
        resources = [node for node in self.nodes if node.kind == "resource"]
        sorter = TopologicalSorter(
            {node.name: [other.name for other in self._down[node] if other.kind == "resource"] for node in resources}
        )
        return tuple(sorter.static_order())

    # As something to look at

    def text(self) -> str:
        """Return it in lines: each node with what it depends on; `~` before what is learned. "" if there is nothing."""
        learned = {(edge.dependent, edge.dependency) for edge in self.edges if edge.is_learned}
        lines: list[str] = []
        for node in self.nodes:
            needs = self._down[node]
            if not needs and self._up[node]:
                continue
            lines.append(str(node))
            for place, other in enumerate(needs):
                branch = "└─" if place == len(needs) - 1 else "├─"
                lines.append(f"  {branch} {'~' if (node, other) in learned else ''}{other}")
        return "\n".join(lines)

    def mermaid(self) -> str:
        """Return it as a Mermaid flow chart, which GitHub and most Markdown viewers draw; learned edges are dotted."""
        number = {node: f"n{place}" for place, node in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for node in self.nodes:
            opening, closing = SHAPES[node.kind]
            lines.append(f'  {number[node]}{opening}"{_label(node.name)}"{closing}')
        for edge in self.edges:
            arrow = "-.->" if edge.is_learned else "-->"
            lines.append(f"  {number[edge.dependent]} {arrow} {number[edge.dependency]}")
        return "\n".join(lines)

    def as_json(self) -> str:
        """Return one object: `nodes` with `kind` and `name`, `edges` with the places of both ends and `learned`."""
        number = {node: place for place, node in enumerate(self.nodes)}
        nodes = [{"kind": node.kind, "name": node.name} for node in self.nodes]
        edges = [
            {"from": number[edge.dependent], "to": number[edge.dependency], "learned": edge.is_learned}
            for edge in self.edges
        ]
        return json.dumps({"nodes": nodes, "edges": edges}, ensure_ascii=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and (self.nodes, self.edges) == (other.nodes, other.edges)

    def __hash__(self) -> int:
        return hash((self.nodes, self.edges))

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.edges)} edges>"

    def _reached(self, of: Node | str, way: Mapping[Node, Sequence[Node]]) -> tuple[Node, ...]:
        given: object = of
        if not isinstance(given, (Node, str)):
            raise RuleError("of", given, "give a name, such as 'tws', or a Node")
        starts = [of] if isinstance(of, Node) else [node for node in self.nodes if node.name == of]
        waiting = [other for start in starts for other in way.get(start, ())]
        found: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(way[node])
        return tuple(sorted(found))

    def _is_circle(self, group: Sequence[Node]) -> bool:
        return len(group) > 1 or group[0] in self._down[group[0]]


def _label(name: str) -> str:
    """Return *name* as Mermaid takes it between quotes: by the codes of what would end them, or be read as markup."""
    return "".join(f"#{ord(char)};" if char in '"#<>&`;\\' or ord(char) < 32 else char for char in name)


def _strongly_connected(down: Mapping[Node, Sequence[Node]]) -> list[list[Node]]:
    """Tarjan's algorithm (SIAM J. Comput. 1 (2), 1972), without recursion."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    groups: list[list[Node]] = []
    for root in down:
        if root in index:
            continue
        work = [(root, iter(down[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(down[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group: list[Node] = []
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        on_stack.discard(group[-1])
                    groups.append(group)
    return groups
