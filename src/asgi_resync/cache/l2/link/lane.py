"""One connection on which commands follow each other, and replies come back in the same order."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from redis.exceptions import ClusterDownError, InvalidResponse, ResponseError

from .calls import Call
from .wire import Wire


class Keeper(Protocol):
    """Who opened the lane."""

    def refused(self, lane: Lane, call: Call, error: ResponseError) -> bool:
        """The reply to *call* is an error. Return whether the call was sent again, elsewhere or otherwise."""

    def fell_behind(self, lane: Lane) -> None:
        """A reply did not come in time."""

    def ended(self, lane: Lane, error: BaseException | None) -> None:
        """It is closed: because of *error*, or because it was told to."""


class Lane:
    """Connects at once, in a task of its own; calls wait for that, as long as their deadline lets them.

    It reads all the time, also when nothing is awaited, and so knows at once when the server closes the connection.
    A reply belongs to the call that was written first: there is no way for it to get to another. What breaks the
    order, as a reply that nobody waits for does, ends the lane.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, keeper: Keeper, open_wire: Callable[[], Awaitable[Wire]]
    ) -> None:
        self.is_connected = False
        self.is_late = False
        """Whether it owes a reply whose deadline is over. It gets no calls until it has caught up."""
        self.since = loop.time()
        """When it began to connect, in seconds of the loop's clock."""
        self._loop = loop
        self._keeper = keeper
        self._open_wire = open_wire
        self._waiting: list[Call] = []
        self._sent: deque[Call] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._is_retired = False
        self._is_closed = False
        self.task = loop.create_task(self._run(), name="asgi-resync: Redis connection")

    @property
    def load(self) -> int:
        """How many calls are not answered yet."""
        return len(self._waiting) + len(self._sent)

    @property
    def is_idle(self) -> bool:
        """Whether what is submitted now is written in the next turn of the loop."""
        return self._wake is not None

    def submit(self, call: Call) -> None:
        """Send *call* in the next turn of the loop, or once the connection is there."""
        call.lane = self
        if self._is_closed:
            call.turn.dropped(call, "closed")
            return
        self._waiting.append(call)
        wake = self._wake
        if wake is not None:
            self._wake = None
            wake.set_result(None)

    def fell_behind(self) -> None:
        """Note that a call has waited too long. One that connects is bounded by other means."""
        if self.is_connected and self._sent and not self.is_late:
            self.is_late = True
            self._keeper.fell_behind(self)

    def retire(self) -> None:
        """End it once it has answered what was sent."""
        self._is_retired = True

    def close(self) -> None:
        """End it soon; what it owes is given up."""
        self._end(None)
        self.task.cancel()

    async def _run(self) -> None:
        try:
            wire = await self._open_wire()
        except Exception as error:
            self._end(error)
            return
        self.is_connected = not self._is_closed
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._until_it_fails(self._write(wire)))
                group.create_task(self._until_it_fails(self._read(wire)))
        except* Exception:
            pass  # `_end` has told whom it concerns
        finally:
            self._end(None)
            try:
                await wire.disconnect(nowait=True)
            except Exception:
                pass  # there is nothing left to close

    async def _until_it_fails(self, work: Coroutine[None, None, None]) -> None:
        """Do *work*; if it fails, nothing is submitted from that moment on."""
        try:
            await work
        except Exception as error:
            self._end(error)
            raise

    def _end(self, error: BaseException | None) -> None:
        """Give up what is owed, because of *error* or because it was closed. Only the first time counts."""
        if self._is_closed:
            return
        self.is_connected = False
        self._is_closed = True
        self._wake = None
        owed = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        self._keeper.ended(self, error)
        for call in owed:
            call.turn.is_open = False
            if error is None:
                call.turn.dropped(call, "closed")
            else:
                call.turn.failed(call, error, is_redis_well=False)

    async def _write(self, wire: Wire) -> None:
        while True:
            if not self._waiting:
                self._wake = self._loop.create_future()
                await self._wake
            calls = []
            for call in self._waiting:
                call.turn.is_open = False
                if call.future.done():
                    call.turn.dropped(call, "cancelled")
                else:
                    calls.append(call)
            self._waiting.clear()
            if calls:
                self._sent.extend(calls)
                await wire.send_packed_command(b"".join([call.packed for call in calls]), check_health=False)

    async def _read(self, wire: Wire) -> None:
        read = wire.read_response
        sent = self._sent
        while True:
            error: ResponseError | None = None
            reply: object = None
            try:
                reply = await read(disable_decoding=True, timeout=math.inf)
            except ResponseError as refusal:
                error = refusal
            if not sent:
                raise InvalidResponse("a reply that nobody waits for")
            call = sent[0]
            if call.skipped:
                call.skipped -= 1
                continue
            sent.popleft()
            if error is None:
                call.turn.answered(call, reply)
            elif not self._keeper.refused(self, call, error):
                call.turn.failed(call, error, is_redis_well=is_well(error))
            if not sent:
                self.is_late = False
                if self._is_retired and not self._waiting:
                    self.close()


def is_well(error: ResponseError) -> bool:
    """Return whether a server that answers with *error* is well, and would answer another command.

    What says otherwise is that its cluster is down, that it has no primary, or that it is busy with a script.
    """
    return not isinstance(error, ClusterDownError) and not str(error).startswith("BUSY ")
