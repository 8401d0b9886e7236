"""What a Resync knows of what depends on what: what was declared to it, and what it has learned since."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from typing import Literal

from ._asgi import Clock
from .breaker.rules import BreakerRule
from .cache.rules import UPSTREAM_TAG, CacheRule
from .learned import Learned
from .noted import Notes
from .resources.graph import Edge, Graph, Node, NodeKind

AGAIN = 60.0
"""Seconds for which what was learned need not be learned again: much less than it lasts."""
NONE: frozenset[str] = frozenset()
MAX_LATELY = 1024
MAX_NEWS = 4096
"""As many as edges are learned at most."""


class _Lately:
    """What was learned of `name` at the time `at`, and need not be learned again for a while."""

    __slots__ = ("at", "called", "kind", "name", "tags", "values")

    def __init__(self, kind: Literal["route", "callable"], name: str, notes: Notes, at: float) -> None:
        self.kind = kind
        self.name = name
        self.at = at
        # Copied at once: a thread that the handler has left behind may still add to them.
        self.called: Set[str] = notes.called.copy() if notes.called else NONE
        self.values: Set[str] = notes.values.copy() if notes.values else NONE
        self.tags: Set[str] = notes.tags.copy() if notes.tags else NONE

    def is_as(self, kind: str, notes: Notes, now: float) -> bool:
        return (
            now < self.at + AGAIN
            and self.called == notes.called
            and self.tags == notes.tags
            and self.values == notes.values
            and self.kind == kind
        )


class Knowledge:
    """Collects edges, and makes a graph of them when asked. *clock* is in seconds and goes forward.

    Learned edges last for an hour since they were last seen, and the latest 4096 of them.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._learned: Learned[Node, Node] = Learned()
        self._lately: dict[str, _Lately] = {}
        """By name, what was learned of it last."""
        self._news: deque[_Lately] = deque(maxlen=MAX_NEWS)
        """What no graph has been made of yet: a miss does not pay for what may never be asked."""
        self.rules: Sequence[CacheRule | BreakerRule] = ()
        """Those in force: their routes are nodes, with their upstreams and tags."""
        self._nodes: set[Node] = set()
        self._edges: set[Edge] = set()

    def add_upstreams(self, names: Iterable[str]) -> None:
        """Add *names* as nodes, whatever depends on them."""
        self._nodes.update(Node("upstream", name) for name in names)

    def add_callable(self, name: str, tags: Sequence[str]) -> None:
        """Add what `cached` was put on, with its tags: templates as they stand, and those of upstreams as such."""
        upstreams = [tag.removeprefix(UPSTREAM_TAG) for tag in tags if tag.startswith(UPSTREAM_TAG)]
        own = [tag for tag in tags if not tag.startswith(UPSTREAM_TAG)]
        self._add(Node("callable", name), {"upstream": upstreams, "tag": own})

    def add_resource(self, name: str, depends_on: Iterable[str] = ()) -> None:
        """Add a resource. An upstream of the same name depends on it, and on nothing else."""
        resource = Node("resource", name)
        self._add(resource, {"resource": depends_on})
        if (upstream := Node("upstream", name)) in self._nodes:
            self._edges.add(Edge(upstream, resource))

    def learn(self, kind: Literal["route", "callable"], name: str, notes: Notes) -> None:
        """Take what the making of *name* has called and used."""
        known, now = self._lately.get(name), self._clock()
        if known is not None and known.is_as(kind, notes, now):
            # As ever: a miss should not pay for what is known.
            return
        if len(self._lately) >= MAX_LATELY:
            self._lately.clear()
        lately = self._lately[name] = _Lately(kind, name, notes, now)
        self._news.append(lately)

    def _take_in(self, lately: _Lately) -> None:
        needs = {self._called(name) for name in lately.called}
        needs.update(Node("callable", value) for value in lately.values)
        needs.update(
            Node("upstream", tag.removeprefix(UPSTREAM_TAG)) for tag in lately.tags if tag.startswith(UPSTREAM_TAG)
        )
        self._learned.note(Node(lately.kind, lately.name), needs, lately.at)

    def _called(self, name: str) -> Node:
        """Return what was called by *name*: an upstream, or a resource that is none, such as a Degradable."""
        upstream, resource = Node("upstream", name), Node("resource", name)
        return resource if resource in self._nodes and upstream not in self._nodes else upstream

    def graph(self) -> Graph:
        """Return what is known now."""
        with suppress(IndexError):
            while True:  # Until none is left: several threads may ask.
                self._take_in(self._news.popleft())
        nodes, edges = set(self._nodes), set(self._edges)
        for rule in self.rules:
            route, tags = Node("route", rule.pattern), rule.tags if isinstance(rule, CacheRule) else ()
            nodes.add(route)
            edges.update(_edges(route, {"upstream": rule.upstreams, "tag": tags}))
        edges.update(Edge(node, need, is_learned=True) for node, need in self._learned.pairs(self._clock()))
        return Graph(nodes, edges)

    def _add(self, node: Node, needs: dict[NodeKind, Iterable[str]]) -> None:
        self._nodes.add(node)
        self._edges.update(_edges(node, needs))


def _edges(node: Node, needs: dict[NodeKind, Iterable[str]]) -> Iterator[Edge]:
    for kind, names in needs.items():
        for name in names:
            yield Edge(node, Node(kind, name))
