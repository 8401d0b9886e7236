"""What became of the calls of the last seconds, in a ring of ten buckets. It judges nothing.

Pure: the time of each call comes in. A bucket is a tenth of the span, so a call counts for nine tenths of the span at
least, and for the whole of it at most.
"""

from __future__ import annotations

BUCKETS = 10


class Window:
    """Counts calls that ended within the last *span* seconds: how many, how many of them failed, how many were slow.

    `is_calm` while none of them failed or was slow. Time that goes backwards counts as standing still. Threads that
    count at one moment may lose a count, and spoil nothing. `counts` are the calls by bucket, `place` is the bucket of
    now, which `ends` at that time: who counts a success before then may do it there, and save a call.
    """

    __slots__ = ("_failures", "_slow", "_tick", "_width", "counts", "ends", "is_calm", "place")

    def __init__(self, span: float) -> None:
        self._width = span / BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._tick = 0
        self.place = 0
        self.ends = self._width
        self.counts = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._slow = [0] * BUCKETS
        self.is_calm = True

    @property
    def calls(self) -> int:
        """How many ended."""
        return sum(self.counts)

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
        if now >= self.ends:
            self.expire(now)
        self.counts[self.place] += 1

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count a call that ended at *now*."""
        self.succeed(now)
        if failed or slow:
            self.is_calm = False
        self._failures[self.place] += failed
        self._slow[self.place] += slow

    def expire(self, now: float) -> None:
        """Forget what is older than the span at *now*."""
        tick = int(now / self._width)
        if tick <= self._tick:
            return
        for gone in range(self._tick + 1, min(tick, self._tick + BUCKETS) + 1):
            place = gone % BUCKETS
            self.counts[place] = self._failures[place] = self._slow[place] = 0
        self._tick = tick
        self.place = tick % BUCKETS
        self.ends = (tick + 1) * self._width
        self.is_calm = not any(self._failures) and not any(self._slow)
