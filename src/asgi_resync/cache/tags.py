"""Which purges concern which entries. Pure; it removes nothing: purged entries are told apart when they are read.

A purge is one number per tag, so it costs the same however many entries carry the tag. The numbers are versions of
this ledger, not times: an entry remembers the version at which the app was asked, so an answer that was under way
during a purge counts as purged, and no clock can blur the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .entry import StoredResponse

EVERYTHING = "\0all"
"""The tag that every entry carries without saying so. Tags of users hold no NUL."""

MAX_TAGS = 10_000


@dataclass(frozen=True, slots=True)
class MarkedStale:
    """A soft purge made it stale at that moment, in seconds since the epoch."""

    at: float


Standing = Literal["good", "purged"] | MarkedStale


class PurgeLedger:
    """Remembers purges, at most `MAX_TAGS` of either kind.

    Beyond that the oldest is widened to a purge of everything before it: more is purged than asked, never less.
    """

    __slots__ = ("_hard", "_soft", "version")

    def __init__(self) -> None:
        self.version = 0
        self._hard: dict[str, int] = {}
        self._soft: dict[str, tuple[int, float]] = {}

    def purge(self, tags: Iterable[str], *, soft: bool, now: float) -> None:
        """Note that what carries one of *tags* is purged, or marked stale if *soft*."""
        self.version += 1
        for tag in tags:
            if soft:
                self._soft.pop(tag, None)
                self._soft[tag] = (self.version, now)
            else:
                self._hard.pop(tag, None)
                self._hard[tag] = self.version
        self._bound()

    def _bound(self) -> None:
        # Dictionaries keep the order of insertion, so the first is the oldest.
        while len(self._hard) > MAX_TAGS:
            oldest = next(tag for tag in self._hard if tag != EVERYTHING)
            self._hard[EVERYTHING] = max(self._hard.get(EVERYTHING, 0), self._hard.pop(oldest))
        while len(self._soft) > MAX_TAGS:
            oldest = next(tag for tag in self._soft if tag != EVERYTHING)
            self._soft[EVERYTHING] = max(self._soft.get(EVERYTHING, (0, 0.0)), self._soft.pop(oldest))

    def standing(self, entry: StoredResponse) -> Standing:
        """Return how *entry* stands: `good`, `purged`, or since when it is stale."""
        marked: float | None = None
        for tag in (EVERYTHING, *entry.tags):
            if self._hard.get(tag, 0) > entry.epoch:
                return "purged"
            version, at = self._soft.get(tag, (0, 0.0))
            if version > entry.epoch:
                marked = at if marked is None else min(marked, at)
        return "good" if marked is None else MarkedStale(marked)
