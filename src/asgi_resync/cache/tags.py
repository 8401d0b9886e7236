"""Which purges concern which entries. Pure; it removes nothing: purged entries are told apart when they are read.

A purge is one number per tag, so it costs the same however many entries carry the tag. The numbers are versions of
this ledger, not times: an entry remembers the version at which the app was asked, so an answer that was under way
during a purge counts as purged, and no clock can blur the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .entry import StoredResponse

EVERYTHING = "\0all"
"""The tag that every entry carries without saying so. Tags of users hold no NUL."""

MAX_TAGS = 10_000


@dataclass(frozen=True, slots=True)
class MarkedStale:
    """A soft purge made it stale at that moment, in seconds since the epoch."""

    at: float


Standing = Literal["good", "purged"] | MarkedStale

_Mark: TypeAlias = tuple[int, float]
"""The version of a soft purge and its moment."""


class PurgeLedger:
    """Remembers purges, at most `MAX_TAGS` of either kind.

    Beyond that the oldest is widened to a purge of everything before it: more is purged than asked, never less.
    """

    __slots__ = ("_hard", "_soft", "version")

    def __init__(self) -> None:
        self.version = 0
        self._hard: dict[str, int] = {}
        self._soft: dict[str, tuple[_Mark, ...]] = {}

    def purge(self, tags: Iterable[str], *, soft: bool, now: float) -> None:
        """Note that what carries one of *tags* is purged, or marked stale if *soft*."""
        self.version += 1
        for tag in dict.fromkeys(tags):
            if soft:
                self._soft[tag] = _folded((self.version, now), *self._soft.pop(tag, ()))
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
            marks = {*self._soft.get(EVERYTHING, ()), *self._soft.pop(oldest)}
            self._soft[EVERYTHING] = _folded(*sorted(marks, reverse=True))

    def standing(self, entry: StoredResponse) -> Standing:
        """Return how *entry* stands: `good`, `purged`, or since when it is stale."""
        marked: float | None = None
        for tag in (EVERYTHING, *entry.tags):
            if self._hard.get(tag, 0) > entry.epoch:
                return "purged"
            for version, at in self._soft.get(tag, ()):
                if version > entry.epoch:
                    marked = at if marked is None else min(marked, at)
        return "good" if marked is None else MarkedStale(marked)


def _folded(newest: _Mark, *older: _Mark) -> tuple[_Mark, ...]:
    """Return *newest* and one mark for all that are *older*.

    What is stale since an earlier purge must not count as stale since a later one, or purging again would prolong its
    use. So the older mark has the version of the newest of them and the moment of the earliest.
    """
    if not older:
        return (newest,)
    return newest, (max(version for version, _ in older), min(at for _, at in older))
