"""At most so many calls of one upstream at a time, and so many waiting; one more is refused at once."""

from __future__ import annotations

import asyncio
from collections import deque

from ..errors import BulkheadFull, RuleError


class Bulkhead:
    """Keeps a slow upstream from taking every task and connection there is.

    At most *limit* calls hold a place, until their response has been read or closed; at most *queue* wait for one, in
    order. One bulkhead serves the calls of one event loop. Raises RuleError for what cannot work.
    """

    def __init__(self, limit: int, queue: int = 0, *, upstream: str = "") -> None:
        wanted: tuple[tuple[str, object, int], ...] = (("limit", limit, 1), ("queue", queue, 0))
        for name, count, low in wanted:
            if isinstance(count, bool) or not isinstance(count, int) or count < low:
                raise RuleError(name, count, f"give a whole number of {low} or more")
        self.limit = limit
        self.queue = queue
        self.upstream = upstream
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def enter_at_once(self) -> bool:
        """Take a place if one is free and nobody waits for it; return whether that is so."""
        if self.in_flight >= self.limit or self._waiting:
            return False
        self.in_flight += 1
        return True

    async def enter(self) -> None:
        """Take a place, in turn. Raises BulkheadFull if none is free and as many wait as may."""
        if self.enter_at_once():
            return
        if len(self._waiting) >= self.queue:
            raise BulkheadFull(self.upstream, self.limit, len(self._waiting))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # The place was given in the moment we were cancelled: it goes to the next.
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place back, to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_flight -= 1
