"""Which events are news: the lines that are worth saying, each at its pace. It keeps count; it says nothing itself."""

from __future__ import annotations

from ..events import (
    BackplaneCaughtUp,
    BackplaneLost,
    Event,
    PurgeDelivered,
    PurgeQueued,
    ResourceDown,
    ResourceUp,
)
from .lines import Line, line_of
from .pace import Pace


class News:
    """What is new of what happens; what repeats itself is, once in *interval* seconds."""

    def __init__(self, interval: float) -> None:
        self._pace = Pace(interval)
        self._has_queued = False
        self._is_lost = False
        self._down: set[str] = set()

    def line(self, event: Event) -> Line | None:
        """Return the line that *event* is worth after those before it; None if it is worth none."""
        match event:
            case PurgeQueued():
                self._has_queued = True
            case BackplaneLost():
                self._is_lost = True
            case ResourceDown(resource=resource):
                self._down.add(resource)
            case ResourceUp(resource=resource):
                # All of them come up once. It is news only of one that was down.
                if resource not in self._down:
                    return None
                self._down.discard(resource)
            case PurgeDelivered():
                # Every purge is delivered. It is news only where one had to wait.
                had_queued, self._has_queued = self._has_queued, False
                if not had_queued:
                    return None
            case BackplaneCaughtUp(missed=missed):
                # So it begins, too. It is news only after a loss.
                was_lost, self._is_lost = self._is_lost, False
                if not was_lost and not missed:
                    return None
        return line_of(event)

    def admit(self, line: Line, now: float) -> int | None:
        """Return None if *line* is not to be said now, else how many like it were not since the last one."""
        return self._pace.admit(line.about, now, line.burst)
