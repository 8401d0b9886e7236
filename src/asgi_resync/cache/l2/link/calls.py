"""One command on its way, and the turn it belongs to: what is admitted, timed and booked together. No I/O."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..ports import Permit, Unreachable

if TYPE_CHECKING:
    from .lane import Lane

LOOKS = 3
"""Turns of the event loop that what came meanwhile gets before a deadline is held against Redis.

A loop that was held up by something else finds the timer and the reply at once; asyncio and uvloop run the timer first,
and from the socket to the caller it is two turns more.
"""


class Call:
    """One command, and the future of who waits for its reply.

    Who gives up cancels the future and nothing else: the reply is read when it comes, and dropped.
    """

    __slots__ = ("fallback", "future", "hops", "lane", "packed", "skipped", "slot", "turn")

    def __init__(
        self, future: asyncio.Future[object], packed: bytes, turn: Turn, slot: int = -1, fallback: bytes | None = None
    ) -> None:
        self.future = future
        self.packed = packed
        self.turn = turn
        self.slot = slot
        """The slot in a cluster; -1 where any node will do."""
        self.fallback = fallback
        """What is sent instead if the server does not know the script."""
        self.lane: Lane | None = None
        self.skipped = 0
        """Replies that come before its own and are for nobody."""
        self.hops = 0
        """How often it was sent elsewhere."""


class Turn:
    """Calls that travel together under one permit and one deadline.

    Redis has failed the turn if it failed one of its calls; but an error reply by which the server shows that it is
    well fails that call alone.
    """

    __slots__ = ("_failure", "_is_answered", "_left", "_loop", "_permit", "_timer", "calls", "is_open")

    def __init__(self, loop: asyncio.AbstractEventLoop, permit: Permit | None, deadline: float) -> None:
        self.calls: list[Call] = []
        self.is_open = True
        """Whether calls may join: until the first of them is written."""
        self._left = 0
        self._loop = loop
        self._permit = permit
        self._is_answered = False
        self._failure: BaseException | None = None
        self._timer: asyncio.Handle = loop.call_later(deadline, self._due, LOOKS)

    def join(self, call: Call) -> None:
        """Add *call*."""
        self.calls.append(call)
        self._left += 1

    def close(self) -> None:
        """Take no more calls."""
        self.is_open = False

    def answered(self, call: Call, reply: object) -> None:
        """Give *reply* to who waits for it."""
        if not call.future.done():
            call.future.set_result(reply)
        self._is_answered = True
        self._left -= 1
        if not self._left:
            self._end()

    def failed(self, call: Call, error: BaseException, *, is_redis_well: bool) -> None:
        """Tell who waits for it that *error* came instead of a reply."""
        if not call.future.done():
            call.future.set_exception(Unreachable(type(error).__name__))
        if is_redis_well:
            self._is_answered = True
        else:
            self._failure = error
        self._left -= 1
        if not self._left:
            self._end()

    def dropped(self, call: Call, cause: str) -> None:
        """Tell who waits for it that it was given up here, which says nothing about Redis."""
        if not call.future.done():
            call.future.set_exception(Unreachable(cause))
        self._left -= 1
        if not self._left:
            self._end()

    def _due(self, looks: int) -> None:
        """Fail what is not answered, unless it is there and was not looked at yet."""
        if looks:
            self._timer = self._loop.call_soon(self._due, looks - 1)
            return
        for call in self.calls:
            if not call.future.done():
                call.future.set_exception(Unreachable("TimeoutError"))
                if call.lane is not None:
                    call.lane.fell_behind()
        self._failure = TimeoutError()
        self._end()

    def _end(self) -> None:
        """Book the outcome, once."""
        self.is_open = False
        self._timer.cancel()
        permit, self._permit = self._permit, None
        if permit is None:
            return
        if self._failure is not None:
            permit.failed(self._failure)
        elif self._is_answered:
            permit.succeeded()
        else:
            permit.withdrawn()
