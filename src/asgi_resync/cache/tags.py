"""Which purges concern which entries. Pure; it removes nothing: purged entries are told apart when they are read.

A purge is one number per tag, so it costs the same however many entries carry the tag. The numbers are versions of
this ledger, not times: an entry remembers the version at which the app was asked, so an answer that was under way
during a purge counts as purged, and no clock can blur the order.

Processes that share a second tier have a ledger each. Redis gives every purge a *cluster version* that all of them
know it by, and `seen` is the one up to which this ledger has heard everything. An entry carries the `seen` of the
ledger it was made under; whoever reads it from the second tier asks `local_epoch` what that means here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ..events import CacheKey
from .entry import StoredResponse
from .undelivered import EVERYTHING, Batch, Undelivered

__all__ = ["EVERYTHING", "MAX_TAGS", "MarkedStale", "PurgeLedger", "Standing"]

MAX_TAGS = 10_000


@dataclass(frozen=True, slots=True)
class MarkedStale:
    """A soft purge made it stale at that moment, in seconds since the epoch."""

    at: float


Standing = Literal["good", "purged"] | MarkedStale


class _Hard(NamedTuple):
    """A hard purge: the newest version here and in the cluster, 0 where the cluster does not know of it (yet)."""

    local: int
    cluster: int


class _Soft(NamedTuple):
    """A soft purge: as a hard one, and its moment."""

    local: int
    cluster: int
    at: float


_NONE = _Hard(0, 0)

SoftMark: TypeAlias = tuple[str, int, float]
"""Tag, cluster version and moment of a soft purge from elsewhere."""


class PurgeLedger:
    """Remembers purges, at most `MAX_TAGS` of either kind.

    Beyond that the oldest is widened to a purge of everything before it: more is purged than asked, never less.

    `version` changes whenever an entry may stand worse than before. `seen` is the cluster version up to which every
    purge made elsewhere is in this ledger; it never decreases.
    """

    __slots__ = ("_doubt", "_hard", "_soft", "seen", "undelivered", "version")

    def __init__(self) -> None:
        self.version = 0
        self.seen = 0
        self.undelivered = Undelivered()
        self._hard: dict[str, _Hard] = {}
        self._soft: dict[str, tuple[_Soft, ...]] = {}
        self._doubt: tuple[int, float] | None = None

    # Purges made here

    def purge(self, tags: Iterable[str], *, soft: bool, now: float) -> None:
        """Note that what carries one of *tags* is purged, or marked stale if *soft*."""
        self.version += 1
        for tag in dict.fromkeys(tags):
            self._mark(tag, self.version, 0, now if soft else None)
        self._bound()

    def post(self, tags: Iterable[str], *, soft: bool, now: float) -> None:
        """Do what `purge` does, and leave it in `undelivered` for the other processes until `delivered` says so."""
        named = tuple(tags)
        self.purge(named, soft=soft, now=now)
        for tag in named:
            self.undelivered.add(tag, self.version, now, soft=soft)
        self._widen_undelivered(now)

    def post_keys(self, keys: Iterable[CacheKey], *, now: float) -> None:
        """Leave in `undelivered` that *keys* were dropped. The ledger itself has no keys."""
        for key in keys:
            self.undelivered.add_key(key)
        self._widen_undelivered(now)

    def delivered(self, batch: Batch, cluster: int) -> None:
        """Note that the cluster knows what *batch* holds, by versions up to *cluster*."""
        self.undelivered.settle(batch)
        for tag in batch.hard:
            tag = tag if tag in self._hard else EVERYTHING
            hard = self._hard.get(tag, _NONE)
            self._hard[tag] = hard._replace(cluster=max(cluster, hard.cluster))
        for tag, at in batch.soft:
            # What was widened since is held by the marks of everything.
            if not self._tell(tag, at, batch.upto, cluster):
                self._tell(EVERYTHING, at, batch.upto, cluster)

    def _tell(self, tag: str, at: float, upto: int, cluster: int) -> bool:
        """Note that the cluster knows what the marks of *tag* hold up to *upto*; False if that is nothing so early."""
        newest, *older = self._soft.get(tag, (_Soft(0, 0, math.inf),))
        if newest.local <= upto or not older:
            newest = newest._replace(cluster=max(cluster, newest.cluster))
        if newest.local > upto or newest.at > at:
            # The newer was made since, or is of a later moment: the older holds it.
            older = [mark._replace(cluster=max(cluster, mark.cluster)) for mark in older]
        if tag in self._soft:
            self._soft[tag] = (newest, *older)
        return min(mark.at for mark in (newest, *older)) <= at

    # Purges made elsewhere

    def apply(self, hard: Iterable[tuple[str, int]], soft: Iterable[SoftMark]) -> None:
        """Note purges from elsewhere by tag and cluster version, soft ones with their moment on this cache's clock.

        What is known already changes nothing.
        """
        version = self.version + 1
        for tag, cluster in hard:
            if cluster > self._hard.get(tag, _NONE).cluster:
                self._mark(tag, version, cluster, None)
                self.version = version
        for tag, cluster, at in soft:
            if cluster > max((mark.cluster for mark in self._soft.get(tag, ())), default=0):
                self._mark(tag, version, cluster, at)
                self.version = version
        self._bound()

    def reached(self, cluster: int) -> None:
        """Note that every purge up to the version *cluster* has been applied."""
        self.seen = max(self.seen, cluster)

    def local_epoch(self, seen: int, tags: Iterable[str]) -> int:
        """Return the epoch here of an entry with *tags* that was made elsewhere, or before a restart, under *seen*.

        It is so early that every purge later than *seen* concerns the entry, and any purge that the cluster has yet to
        hear of.
        """
        epoch = self.version if self._doubt is None else min(self.version, self._doubt[0])
        for tag in (EVERYTHING, *tags):
            hard = self._hard.get(tag, _NONE)
            if hard.cluster > seen:
                epoch = min(epoch, hard.local - 1)
            for mark in self._soft.get(tag, ()):
                if mark.cluster > seen:
                    epoch = min(epoch, mark.local - 1)
            since = self.undelivered.since(tag)
            if since is not None:
                epoch = min(epoch, since - 1)
        return epoch

    def known_since(self, cluster: int) -> tuple[list[tuple[str, int]], list[SoftMark]]:
        """Return the newest hard and soft marks with a version from *cluster* on, for a server that forgot them."""
        hard = [(tag, mark.cluster) for tag, mark in self._hard.items() if mark.cluster >= cluster > 0]
        newest = [(tag, marks[0]) for tag, marks in self._soft.items()]
        return hard, [(tag, mark.cluster, mark.at) for tag, mark in newest if mark.cluster >= cluster > 0]

    # Purges that may have been missed

    def distrust(self, now: float) -> None:
        """Note that from *now* on purges may be missed: whatever was asked for until now is stale since then.

        It stands so until `trust`. What is asked for later is good, as in a process that is alone.
        """
        if self._doubt is None:
            self._doubt = (self.version, now)
            self.version += 1

    def trust(self, *, missed: bool = False) -> None:
        """Note that no purge was missed after all, or that those missed have been applied.

        With *missed*, some can never be known: what was in doubt stays stale for good.
        """
        if missed and self._doubt is not None:
            version, at = self._doubt
            marks = {*self._soft.get(EVERYTHING, ()), _Soft(version + 1, 0, at)}
            self._soft[EVERYTHING] = _folded(*sorted(marks, reverse=True))
        self._doubt = None

    @property
    def is_trusted(self) -> bool:
        """False between `distrust` and `trust`."""
        return self._doubt is None

    def standing(self, entry: StoredResponse) -> Standing:
        """Return how *entry* stands: `good`, `purged`, or since when it is stale."""
        marked: float | None = None
        if self._doubt is not None and entry.epoch <= self._doubt[0]:
            marked = self._doubt[1]
        for tag in (EVERYTHING, *entry.tags):
            if self._hard.get(tag, _NONE).local > entry.epoch:
                return "purged"
            for mark in self._soft.get(tag, ()):
                if mark.local > entry.epoch:
                    marked = mark.at if marked is None else min(marked, mark.at)
        return "good" if marked is None else MarkedStale(marked)

    def _mark(self, tag: str, local: int, cluster: int, at: float | None) -> None:
        """Note one purge, soft if it has a moment *at*. It becomes the newest in the order of the dictionary."""
        if at is None:
            known = self._hard.pop(tag, _NONE)
            self._hard[tag] = _Hard(local, max(cluster, known.cluster))
        else:
            self._soft[tag] = _folded(_Soft(local, cluster, at), *self._soft.pop(tag, ()))

    def _widen_undelivered(self, now: float) -> None:
        if self.undelivered.widen(self.version + 1):
            # What the others will be told holds here too.
            self.purge([EVERYTHING], soft=False, now=now)

    def _bound(self) -> None:
        # Dictionaries keep the order of insertion, so the first is the oldest.
        while len(self._hard) > MAX_TAGS:
            oldest = next(tag for tag in self._hard if tag != EVERYTHING)
            gone, wide = self._hard.pop(oldest), self._hard.get(EVERYTHING, _NONE)
            self._hard[EVERYTHING] = _Hard(max(gone.local, wide.local), max(gone.cluster, wide.cluster))
        while len(self._soft) > MAX_TAGS:
            oldest = next(tag for tag in self._soft if tag != EVERYTHING)
            marks = {*self._soft.get(EVERYTHING, ()), *self._soft.pop(oldest)}
            self._soft[EVERYTHING] = _folded(*sorted(marks, reverse=True))


def _folded(newest: _Soft, *older: _Soft) -> tuple[_Soft, ...]:
    """Return *newest* and one mark for all that are *older*.

    What is stale since an earlier purge must not count as stale since a later one, or purging again would prolong its
    use. So the older mark has the versions of the newest of them and the moment of the earliest.
    """
    if not older:
        return (newest,)
    folded = _Soft(max(m.local for m in older), max(m.cluster for m in older), min(m.at for m in older))
    return newest, folded
