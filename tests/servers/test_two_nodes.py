"""Two processes purge, store, read, lose Redis and find it again in any order: no delivered purge is ever undone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.servers.nodes import Node
from tests.servers.server import Server

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.tags import EVERYTHING
from asgi_resync.events import CacheKey

T = TypeVar("T")

KEYS: dict[CacheKey, tuple[str, ...]] = {("k1",): ("a",), ("k2",): ("a", "b")}
TAGS = ("a", "b", EVERYTHING)
_numbers = itertools.count()

node_names = st.sampled_from([0, 1])
keys = st.sampled_from(list(KEYS))


class TwoNodes(RuleBasedStateMachine):
    """Two nodes on one real Redis. Bodies are numbered in the order in which the app was asked.

    `floors` says per node and key: a body with a lower number must not be served there as fresh any more.
    """

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.number = 0
        self.floors: dict[tuple[int, CacheKey], int] = {}
        # What nodes promised to apply before they trust their memory again: by node, and the number of the purge.
        self.promised: dict[int, list[tuple[CacheKey, int]]] = {0: [], 1: []}
        # What waits on a node for Redis.
        self.queued: dict[int, list[tuple[CacheKey, int]]] = {0: [], 1: []}
        self.calls: list[tuple[int, tuple[StoredResponse, int]]] = []
        self.nodes: list[Node] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def begin(self) -> None:
        prefix = f"m{next(_numbers)}:"
        self.nodes = [Node(f"n{number}", self.server.url, prefix, patience=0.01) for number in (0, 1)]
        for node in self.nodes:
            self.run(node.start())

    @rule(number=node_names, key=keys)
    def ask(self, number: int, key: CacheKey) -> None:
        self.number += 1
        body = str(self.number).encode()
        self.calls.append((number, self.nodes[number].ask(key, *KEYS[key], body=body)))

    @rule(number=node_names, key=keys)
    def store(self, number: int, key: CacheKey) -> None:
        """Ask and answer; the other process reads it."""
        self.ask(number, key)
        self.run(self.nodes[number].finish(self.calls.pop()[1]))
        self.read(1 - number, key)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number, call = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self.run(self.nodes[number].finish(call))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer_late(self, data: st.DataObject) -> None:
        """What was asked long ago comes to Redis, whatever tags were purged since: only a drop empties the queue."""
        number, (entry, moment) = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        node = self.nodes[number]
        if node.dropped.get(entry.key, 0) <= moment:
            self.run(node.store.set(entry.key, entry))

    @rule(number=node_names, key=keys)
    def read(self, number: int, key: CacheKey) -> None:
        self.check(number, key, self.run(self.nodes[number].read(key)))

    def check(self, number: int, key: CacheKey, body: bytes | None) -> None:
        assert body is None or int(body) > self.floors.get((number, key), 0), (number, key, body)

    @invariant()
    def nothing_purged_is_served(self) -> None:
        """Neither from memory nor from Redis."""
        for number, node in enumerate(self.nodes):
            for key in KEYS:
                self.check(number, key, node.served(node.memory.get(key)))
                self.check(number, key, node.served(self.run(node.store.get(key))))

    @rule(key=keys)
    def evict(self, key: CacheKey) -> None:
        for node in self.nodes:
            node.memory.pop(key, None)

    @rule(number=node_names, tag=st.sampled_from(TAGS), soft=st.booleans())
    def purge_tag(self, number: int, tag: str, soft: bool) -> None:
        state = self.purge(number, [tag], soft=soft)
        self.purged(number, state, [key for key in KEYS if tag in KEYS[key] or tag == EVERYTHING])

    @rule(number=node_names, key=keys)
    def drop(self, number: int, key: CacheKey) -> None:
        self.purged(number, self.purge(number, keys=[key]), [key])

    def purge(self, number: int, tags: Sequence[str] = (), keys: Sequence[CacheKey] = (), *, soft: bool = False) -> str:
        """Purge, and wait long only for an answer that will come."""
        backplane = self.nodes[number].backplane
        backplane._patience = 10.0 if self.both_hear() else 0.005
        return self.run(backplane.purge(tags, keys, soft=soft)).state

    def both_hear(self) -> bool:
        return all(node.backplane.is_live and not node.link.is_deaf for node in self.nodes)

    def purged(self, number: int, state: str, concerned: list[CacheKey]) -> None:
        assert (state == "queued") == self.nodes[number].link.is_cut
        assert state != "partial" or not self.both_hear()
        for key in concerned:
            self.floors[(number, key)] = self.number
            if state == "delivered":
                self.floors[(1 - number, key)] = self.number
            else:
                waiting = self.promised[1 - number] if state == "partial" else self.queued[number]
                waiting.append((key, self.number))

    @rule(number=node_names)
    def cut_or_mend(self, number: int) -> None:
        node = self.nodes[number]
        if not node.link.is_cut:
            # Who is cut off is known to the other, as it is a second after it came.
            self.look(1 - number)
            self.run(node.cut())
            return
        node.link.is_deaf = False
        self.run(node.mend())
        self.kept(number)

    @rule(number=node_names)
    def deafen(self, number: int) -> None:
        self.nodes[number].link.is_deaf = True

    @rule(number=node_names)
    def look(self, number: int) -> None:
        node = self.nodes[number]
        node.link.is_deaf = False
        if not node.link.is_cut:
            self.run(self.looked(node))
            self.kept(number)

    @staticmethod
    async def looked(node: Node) -> None:
        await node.look()
        await node.until(lambda: node.backplane._forgot_from is None)
        await node.until(lambda: not node.ledger.undelivered)

    def kept(self, number: int) -> None:
        """Hold node *number*, which has caught up, to what was promised; what waited there is promised by the other."""
        for key, floor in self.promised[number]:
            self.floors[(number, key)] = max(floor, self.floors.get((number, key), 0))
        self.promised[number].clear()
        self.promised[1 - number] += self.queued[number]
        self.queued[number].clear()

    @rule()
    def flush(self) -> None:
        """Redis forgets all. Who is connected tells it again; who is not has nothing in memory that it trusts."""
        self.server.execute("FLUSHALL")
        # Twice: what the second tells, the first learns at its next look.
        for number in (0, 1, 0, 1):
            if not self.nodes[number].link.is_cut:
                self.run(self.looked(self.nodes[number]))
        for number in (0, 1):
            if not self.nodes[number].link.is_cut:
                self.kept(number)
        if any(node.link.is_cut for node in self.nodes):
            # What only a process that is cut off knows, it can tell when it is back: until then nobody can.
            self.promised = {0: [], 1: []}

    def teardown(self) -> None:
        for node in self.nodes:
            self.run(node.stop())
        self.runner.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_delivered_purge_is_ever_undone(server: Server) -> None:
    """Nor one that was queued, once it is delivered, nor one that a process promised to apply when it is back."""
    machine = type("OnThisServer", (TwoNodes,), {"server": server})
    # An example takes a quarter of a second: unless more are asked for, a few each time.
    asked = settings.default.max_examples if settings.default is not None else 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=asked if asked > 1000 else 25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
