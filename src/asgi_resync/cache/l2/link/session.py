"""What a link has on one event loop: its nodes, the way from a name to one of them, and who listens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, ReadOnlyError, ResponseError

from ..ports import Guard, Permit, Unreachable
from .calls import Call, Turn
from .connect import Connector, closed
from .node import Node
from .packing import ASKING, SLOTS
from .place import Address
from .slots import Slots, resolved, slots_of
from .wire import Wire

MOST_HOPS = 3
"""How often a call may be sent to another node."""
REFRESH_EVERY = 0.2
"""Seconds between two questions which node has which slot."""


class Session:
    """Begins with one node, the first that the URL names. That it is of a cluster is learnt from its redirections.

    Which node has which slot is asked in the background after a redirection, and when a node is lost or late.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connector: Connector, guard: Guard, *, deadline: float, most: int
    ) -> None:
        self._loop = loop
        self._connector = connector
        self.opener = connector.on()
        self.listening: set[Wire] = set()
        self._guard = guard
        self._deadline = deadline
        self._most = most
        # Of a sentinel's seeds none is the server; and a socket has no host.
        self._seeds = connector.place.seeds if connector.place.kind != "sentinel" else ()
        self._seed = 0
        self._nodes: dict[Address | None, Node] = {}
        self._slots: Slots | None = None
        self._refreshed = -REFRESH_EVERY
        self._tasks: set[asyncio.Task[None]] = set()
        self._refresh: asyncio.Task[None] | None = None
        self.is_closed = False

    def adjust(self, deadline: float) -> None:
        """See `RedisLink.adjust`."""
        self._deadline = deadline
        for node in list(self._nodes.values()):
            node.deadline = deadline

    def get(self, name: str) -> asyncio.Future[object]:
        """Send a GET. Raises Unreachable if the guard is open."""
        slots = self._slots
        if slots is None:
            return self._home().get(self._guard, name, -1)
        slot = key_slot(name.encode("utf-8", "surrogateescape"))
        return self._owner(slots, slot).get(self._guard, name, slot)

    def send(self, packed: bytes, name: str | bytes | None, fallback: bytes | None = None) -> asyncio.Future[object]:
        """Send one command, to the node that has *name*. Raises Unreachable if the guard is open."""
        permit = self._guard.admit()
        if permit is None:
            raise Unreachable("open")
        slots = self._slots
        if slots is None or name is None:
            return self._submit(self._home(), permit, self._deadline, packed, fallback=fallback)
        slot = key_slot(name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name)
        return self._submit(self._owner(slots, slot), permit, self._deadline, packed, slot, fallback)

    def _submit(
        self,
        node: Node,
        permit: Permit | None,
        deadline: float,
        packed: bytes,
        slot: int = -1,
        fallback: bytes | None = None,
    ) -> asyncio.Future[object]:
        turn = Turn(self._loop, permit, deadline)
        turn.close()
        call = Call(self._loop.create_future(), packed, turn, slot, fallback)
        turn.join(call)
        node.send(call)
        return call.future

    def addresses(self) -> Sequence[Address | None]:
        """Return all that may be asked for what any node can tell, in random order."""
        known: list[Address | None] = [*(self._slots.owners() if self._slots is not None else ())]
        random.shuffle(known)
        return [*known, *(seed for seed in self._seeds if seed not in known)] or [None]

    def _home(self) -> Node:
        """Return the node for what belongs to no slot, or to nobody knows which."""
        return self._node(self._seeds[self._seed % len(self._seeds)] if self._seeds else None)

    def _owner(self, slots: Slots, slot: int) -> Node:
        owner = slots.owner(slot)
        return self._home() if owner is None else self._node(owner)

    def _node(self, address: Address | None) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = Node(self._loop, self, address, self.opener.open, most=self._most, deadline=self._deadline)
            self._nodes[address] = node
        return node

    def redirected(self, node: Node, call: Call, error: ResponseError) -> bool:
        """See `Router`."""
        if self.is_closed:
            return False
        if isinstance(error, NoScriptError) and call.fallback is not None:
            call.packed, call.fallback = call.fallback, None
            node.send(call)
            return True
        if isinstance(error, (ClusterDownError, ReadOnlyError)):
            self.lost(node)
        if not isinstance(error, AskError) or call.hops >= MOST_HOPS:
            return False
        target = resolved(str(error.host), error.port, node.address[0] if node.address else "")
        if target is None:
            return False
        call.hops += 1
        if isinstance(error, MovedError):
            if self._slots is None:
                self._slots = Slots()
            self._slots.learn(error.slot_id, target)
            self._refresh_soon()
        else:
            call.packed = ASKING + call.packed
            call.skipped = 1
        self._node(target).send(call)
        return True

    def lost(self, node: Node) -> None:
        """See `Router`."""
        if self.is_closed:
            return
        if self._seeds and node.address == self._seeds[self._seed % len(self._seeds)]:
            self._seed += 1
        if self._slots is not None:
            self._refresh_soon()

    def _refresh_soon(self) -> None:
        now = self._loop.time()
        if self._refresh is None and now - self._refreshed >= REFRESH_EVERY:
            self._refreshed = now
            self._refresh = self._loop.create_task(self._ask_for_slots(), name="asgi-resync: Redis slots")

    async def _ask_for_slots(self) -> None:
        try:
            for address in self.addresses():
                node = self._node(address)
                try:
                    reply = await self._submit(node, None, self._connector.timeout / 2, SLOTS)
                except Unreachable:
                    continue
                slots = slots_of(reply, address[0] if address else "")
                if slots is not None:
                    self._slots = slots
                    self._forget_all_but({*slots.owners(), *self._seeds})
                    return
        finally:
            self._refresh = None

    def _forget_all_but(self, addresses: set[Address]) -> None:
        for address in [one for one in self._nodes if one is not None and one not in addresses]:
            task = self._loop.create_task(self._nodes.pop(address).aclose())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Close all connections. Calls on their way are given up."""
        self.is_closed = True
        if self._refresh is not None:
            self._refresh.cancel()
            self._tasks.add(self._refresh)
        nodes = list(self._nodes.values())
        self._nodes.clear()
        ending = [*(node.aclose() for node in nodes), *(closed(wire) for wire in self.listening)]
        await asyncio.gather(*ending, *self._tasks, return_exceptions=True)
        await self.opener.aclose()
