"""What became of the calls of the last seconds, in a ring of ten buckets. It judges nothing.

Pure: the time of each call comes in. A bucket is a tenth of the span, so a call counts for nine tenths of the span at
least, and for the whole of it at most.
"""

from __future__ import annotations

BUCKETS = 10


class Window:
    """Counts calls that ended within the last *span* seconds: how many, how many of them failed, how many were slow.

    `is_calm` while none of them failed or was slow. Time that goes backwards counts as standing still. Threads that
    count at one moment may lose a count, and spoil nothing.
    """

    __slots__ = ("_calls", "_ends", "_failures", "_place", "_slow", "_tick", "_width", "is_calm")

    def __init__(self, span: float) -> None:
        self._width = span / BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._tick = 0
        self._place = 0
        self._ends = self._width
        self._calls = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._slow = [0] * BUCKETS
        self.is_calm = True

    @property
    def calls(self) -> int:
        """How many ended."""
        return sum(self._calls)

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return sum(self._failures)

    @property
    def slow(self) -> int:
        """How many of them were slow."""
        return sum(self._slow)

    def succeed(self, now: float) -> None:
        """Count a call that ended well, in good time, at *now*."""
        if now >= self._ends:
            self.expire(now)
        self._calls[self._place] += 1

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count a call that ended at *now*."""
        self.succeed(now)
        if failed or slow:
            self.is_calm = False
        self._failures[self._place] += failed
        self._slow[self._place] += slow

    def expire(self, now: float) -> None:
        """Forget what is older than the span at *now*."""
        tick = int(now / self._width)
        if tick <= self._tick:
            return
        for gone in range(self._tick + 1, min(tick, self._tick + BUCKETS) + 1):
            place = gone % BUCKETS
            self._calls[place] = self._failures[place] = self._slow[place] = 0
        self._tick = tick
        self._place = tick % BUCKETS
        self._ends = (tick + 1) * self._width
        self.is_calm = not any(self._failures) and not any(self._slow)
