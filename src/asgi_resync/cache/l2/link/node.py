"""The few connections to one server: which of them takes a call, and when another is opened or one is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from redis.exceptions import ReadOnlyError, ResponseError

from ..ports import Guard, Unreachable
from .calls import Call, Turn
from .lane import Lane
from .packing import packed_get
from .place import Address
from .wire import Wire

CATCH_UP = 1.0
"""Seconds that a connection which owes a late reply has to catch up. Then it is closed: it may be a dead one."""


class Router(Protocol):
    """Who knows the other nodes."""

    def redirected(self, node: Node, call: Call, error: ResponseError) -> bool:
        """Return whether *call*, refused with *error*, was sent again."""

    def lost(self, node: Node) -> None:
        """A connection to *node* was lost, could not be made, or is late."""


class Node:
    """Opens up to *most* connections, the second not before the first is busy.

    What owes a late reply gets no more calls, and another is opened in its place: a large reply, or a connection that
    died without a word, is a matter of who waits for it. So there are twice as many for a while at worst.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        router: Router,
        address: Address | None,
        open_wire: Callable[[Address | None], Awaitable[Wire]],
        *,
        most: int,
        deadline: float,
    ) -> None:
        self.address = address
        self._loop = loop
        self._router = router
        self._open_wire = open_wire
        self._most = most
        self.deadline = deadline
        self._lanes: list[Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn: Turn | None = None
        self._lane: Lane | None = None
        self._is_closed = False

    def get(self, guard: Guard, name: str, slot: int) -> asyncio.Future[object]:
        """Send a GET together with the others of this turn of the loop. Raises Unreachable if the guard is open."""
        turn = self._turn
        if turn is None or not turn.is_open:
            permit = guard.admit()
            if permit is None:
                raise Unreachable("open")
            self._turn = turn = Turn(self._loop, permit, self.deadline)
            self._lane = self._free_lane()
            if not self._lane.is_idle:
                # Else who comes later would get what is left of this deadline.
                self._loop.call_soon(turn.close)
        call = Call(self._loop.create_future(), packed_get(name), turn, slot)
        turn.join(call)
        assert self._lane is not None
        self._lane.submit(call)
        return call.future

    def send(self, call: Call) -> None:
        """Send *call*, which has joined its turn, on the connection that has least to do."""
        self._free_lane().submit(call)

    def _free_lane(self) -> Lane:
        best: Lane | None = None
        usable = 0
        for lane in self._lanes:
            if lane.is_late:
                continue
            load = lane.load
            if not load:
                return lane
            usable += 1
            if best is None or load < best.load:
                best = lane
        if best is None:
            return self._open_lane()
        if usable < self._most and all(lane.is_connected for lane in self._lanes):
            self._open_lane()  # for those to come: this one would wait for the connection
        return best

    def _open_lane(self) -> Lane:
        if len(self._lanes) >= 2 * self._most:
            next(lane for lane in self._lanes if lane.is_late).close()
        lane = Lane(self._loop, self, lambda: self._open_wire(self.address))
        self._lanes.append(lane)
        self._tasks.add(lane.task)
        lane.task.add_done_callback(self._tasks.discard)
        return lane

    def refused(self, lane: Lane, call: Call, error: ResponseError) -> bool:
        """See `Keeper`."""
        if isinstance(error, ReadOnlyError) and lane in self._lanes and self._loop.time() - lane.since > CATCH_UP:
            # The primary became a replica. Who is primary now is found by connecting again, but not with every write.
            self._lanes.remove(lane)
            lane.retire()
        return self._router.redirected(self, call, error)

    def fell_behind(self, lane: Lane) -> None:
        """See `Keeper`."""
        self._loop.call_later(CATCH_UP, self._give_up, lane)
        self._router.lost(self)

    def _give_up(self, lane: Lane) -> None:
        if lane.is_late:
            lane.close()

    def ended(self, lane: Lane, error: BaseException | None) -> None:
        """See `Keeper`."""
        if lane in self._lanes:
            self._lanes.remove(lane)
        if error is not None and not self._is_closed:
            self._router.lost(self)

    def close(self) -> None:
        """End all connections soon."""
        self._is_closed = True
        for lane in list(self._lanes):
            lane.close()

    async def aclose(self) -> None:
        """End all connections, and return when they are."""
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
