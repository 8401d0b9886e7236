"""One attempt: admitted by the breaker, given a place by the bulkhead, bounded by the deadline, and booked once.

It never repeats anything. What it books outlives it where the response has a body to come.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from .._deadline import Deadline
from .bulkhead import Bulkhead
from .ports import ByteStream, Faults, Permit
from .stepwise import where_it_waits

T = TypeVar("T")


class Booking:
    """What one attempt holds: a permit of the breaker, a place in the bulkhead, and the time it has."""

    __slots__ = ("_bulkhead", "_faults", "_permit", "_upstream", "limit", "started")

    def __init__(self, permit: Permit | None, limit: Deadline | None, *, faults: Faults, upstream: str) -> None:
        self._permit = permit
        self._bulkhead: Bulkhead | None = None
        self._faults = faults
        self._upstream = upstream
        self.limit = limit
        self.started = limit.remaining() if limit is not None else 0.0
        """Seconds there were to the deadline when the attempt began."""

    async def enter(self, bulkhead: Bulkhead, admit: Callable[[], Permit] | None) -> None:
        """Take a place in *bulkhead*. Raises BulkheadFull, or the library's timeout if the deadline comes first.

        Time in our own queue is not the upstream's: the permit is given back meanwhile, and *admit* asked for another,
        which may raise BreakerOpen.
        """
        if bulkhead.enter_at_once():
            self._bulkhead = bulkhead
            return
        started, self.started = self.started, 0.0
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.withdrawn()
        await self.bounded(bulkhead.enter())
        self._bulkhead = bulkhead
        self.started = self.limit.remaining() if self.limit is not None else started
        if permit is not None and admit is not None:
            self._permit = admit()

    def outlive(self, limit: Deadline | None) -> None:
        """Go by *limit* from now on, which began before this attempt did: the response has begun."""
        before = self.limit
        if limit is not before:
            self.limit = limit
            if limit is not None:
                spent = self.started - before.remaining() if before is not None else 0.0
                self.started = limit.remaining() + (spent if spent > 0 else 0.0)

    def pause(self) -> None:
        """Nobody waits for the upstream, but it for its reader."""
        if self._permit is not None:
            self._permit.pause()

    def resume(self) -> None:
        """The upstream is waited for again."""
        if self._permit is not None:
            self._permit.resume()

    def succeed(self) -> None:
        """Book that all of the answer came, unless the answer itself was booked as a failure."""
        if (permit := self._ended()) is not None:
            permit.succeeded()

    def refuse(self, status: int) -> None:
        """Book that the upstream answered with a failure. Its body still holds the place."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.failed(status)

    def fail(self, error: BaseException) -> None:
        """Book what *error* says of the upstream, which may be nothing."""
        if (permit := self._ended()) is None:
            return
        if self._counts(error):
            permit.raised(error)
        else:
            permit.withdrawn()

    async def bounded(self, work: Awaitable[T]) -> T:
        """Return what *work* gives, or raise the library's own timeout once the deadline has passed."""
        if self.limit is None or self.limit.expires == math.inf:
            return await work
        return await where_it_waits(work, self._in_time)

    async def _in_time(self, work: Awaitable[T]) -> T:
        limit = self.limit
        assert limit is not None
        scope = asyncio.timeout(max(0.0, limit.remaining()))
        try:
            async with scope:
                return await work
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise self._faults.late(self._upstream, limit.seconds) from error

    def _counts(self, error: BaseException) -> bool:
        if isinstance(error, self._faults.own):
            return False
        if self.limit is not None and isinstance(error, self._faults.late):
            # A deadline that was nearly spent elsewhere when this attempt began says nothing of this upstream.
            return self.started >= self.limit.seconds / 2
        return isinstance(error, self._faults.network)

    def _ended(self) -> Permit | None:
        """Give the place back, and return the permit if it has not been booked yet."""
        permit, bulkhead = self._permit, self._bulkhead
        self._permit = self._bulkhead = None
        if bulkhead is not None:
            bulkhead.leave()
        return permit


class Observed:
    """A body whose end, or failure, settles a booking. The adapters give it the base class of their library."""

    def __init__(self, stream: ByteStream, booking: Booking) -> None:
        self._stream = stream
        self._booking = booking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._stream.__aiter__()
        booking = self._booking
        try:
            while True:
                try:
                    chunk = await booking.bounded(anext(chunks))
                except StopAsyncIteration:
                    break
                booking.pause()
                yield chunk
                booking.resume()
        except GeneratorExit:
            raise  # The reader has had enough: `aclose` books it.
        except BaseException as error:
            booking.fail(error)
            raise
        booking.succeed()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            # Closed before its end by choice: the upstream did what it was asked as far as anyone looked.
            self._booking.succeed()
