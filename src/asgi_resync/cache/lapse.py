"""When records leave the first tier before their time, so that what the second one knows better is noticed. It reads no
clock and drops nothing itself. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..events import CacheKey

FLOOR = 256


class Lapses:
    """Remembers what was kept when, oldest first: all records stay for the same time.

    Records are known by their `id`, so none is kept alive; that another may come to have it under the same key does no
    harm, as it leaves early then. Those that left otherwise are taken out here once they may be the larger part:
    *is_kept* says which.
    """

    __slots__ = ("_is_kept", "_limit", "_queue")

    def __init__(self, is_kept: Callable[[CacheKey, int], bool]) -> None:
        self._is_kept = is_kept
        self._queue: deque[tuple[float, CacheKey, int]] = deque()
        self._limit = FLOOR

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, at: float, key: CacheKey, token: int) -> None:
        """Note that the record of the id *token* is to leave at *at*, which is never before that of an earlier call."""
        self._queue.append((at, key, token))
        if len(self._queue) > self._limit:
            self._queue = deque(lapse for lapse in self._queue if self._is_kept(lapse[1], lapse[2]))
            self._limit = max(2 * len(self._queue), FLOOR)

    def due(self, now: float) -> list[tuple[CacheKey, int]]:
        """Take out and return what is to leave by *now*."""
        found = []
        while self._queue and self._queue[0][0] <= now:
            _, key, token = self._queue.popleft()
            found.append((key, token))
        return found

    def hasten(self, seconds: float) -> None:
        """Have all leave *seconds* earlier."""
        self._queue = deque((at - seconds, key, token) for at, key, token in self._queue)

    @property
    def first(self) -> float | None:
        """When the next is to leave."""
        return self._queue[0][0] if self._queue else None

    def clear(self) -> None:
        """Forget all."""
        self._queue.clear()
