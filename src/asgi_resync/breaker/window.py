"""What became of the calls of the last seconds: a ring of ten buckets and their totals. It judges nothing.

Pure: the time of each call comes in. A bucket is a tenth of the span, so a call counts for nine tenths of the span at
least, and for the whole of it at most.
"""

from __future__ import annotations

BUCKETS = 10


class Window:
    """Counts calls that ended within the last *span* seconds: how many, how many of them failed, how many were slow.

    Time that goes backwards counts as standing still.
    """

    __slots__ = ("_calls", "_failures", "_slow", "_tick", "_width", "calls", "failures", "slow")

    def __init__(self, span: float) -> None:
        self._width = span / BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._tick = 0
        self._calls = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._slow = [0] * BUCKETS
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def succeed(self, now: float) -> None:
        """Count a call that ended well, in good time, at *now*."""
        tick = int(now / self._width)
        if tick > self._tick:
            self._turn(tick)
        self._calls[self._tick % BUCKETS] += 1
        self.calls += 1

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count a call that ended at *now*."""
        self.succeed(now)
        place = self._tick % BUCKETS
        self._failures[place] += failed
        self.failures += failed
        self._slow[place] += slow
        self.slow += slow

    def expire(self, now: float) -> None:
        """Forget what is older than the span at *now*."""
        tick = int(now / self._width)
        if tick > self._tick:
            self._turn(tick)

    def _turn(self, tick: int) -> None:
        for gone in range(self._tick + 1, min(tick, self._tick + BUCKETS) + 1):
            place = gone % BUCKETS
            self.calls -= self._calls[place]
            self.failures -= self._failures[place]
            self.slow -= self._slow[place]
            self._calls[place] = self._failures[place] = self._slow[place] = 0
        self._tick = tick
