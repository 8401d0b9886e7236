"""The first tier: records in this process, bounded in bytes and in entries. It waits for nothing and does no I/O."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

from .._asgi import Clock
from ..events import CacheKey, Evicted, Listener, NotStored, guarded, wants
from .eviction import MAX_USES, Kept, Shard
from .store import Record

LARGEST = 4 * 2**20 + 64 * 2**10
"""Bytes of the largest record that is to fit: the default body cap, and room for its headers and key."""
FEWEST = 16
HEADROOM = 64 * 1024
"""Bytes that a record may weigh beside its body."""
"""A shard of fewer entries than this evicts what it should keep, since its keys are few enough to collide."""
PUTS_PER_SWEEP = 16
"""Every so many puts to a shard one of them sweeps a little of it, so that the dead leave without a background task."""
SWEPT_BY_PUT = 2 * PUTS_PER_SWEEP
"""Records such a put looks at. Two for each put, as with one a store that grows would run away from its sweep;
and together, since calling a sweep costs more than what it does to one record."""


Places: TypeAlias = list[tuple[Shard, Lock]]
"""Shards, each with its lock. A key is at home in the one that its hash chooses."""


class _Layout:
    """The shards there are, and those of before a resize whose records have not moved yet, oldest first."""

    __slots__ = ("leaving", "places")

    def __init__(self, places: Places, leaving: tuple[Places, ...] = ()) -> None:
        self.places = places
        self.leaving = leaving

    @property
    def all(self) -> list[tuple[Shard, Lock]]:
        return [place for places in (*self.leaving, self.places) for place in places]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStats:
    """What a memory store holds now, and what left it since it was made.

    `ghosts` are evicted keys it remembers as hashes; `evictions` left for others to fit, `expirations` at their time,
    `refusals` were larger than a shard.
    """

    shards: int
    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    ghosts: int
    evictions: int
    expirations: int
    refusals: int


class MemoryStore:
    """Keeps records in this process until their `keep_until`, or for less time if it lacks room.

    The sums over all shards never exceed *max_entries* and *max_bytes*; a record weighs its `size`. What goes is
    decided by S3-FIFO (see `eviction`). A record larger than a shard is refused, with a `NotStored` event, and evicts
    nothing. So that one of *max_record* bytes is not refused, there are fewer than *shards* shards where *max_bytes*
    or *max_entries* are small: 10 MiB make 2, 4 MiB make 1.

    What shards buy: each holds its lock for a part of the records only, so that of threads that write or clear, those
    at other shards do not wait. What they do not buy: one event loop is no faster with them, as a section without
    `await` is never contended; nor, under the GIL, are threads (a put takes as long with four threads and 1 shard as
    with 8). They cost up to 0.3 points of hit ratio. What bounds the work of one step is not them but budgets: of a
    sweep, and of an eviction (`MAX_REPRIEVES`). Reads take no lock and know no shards: one index serves them all,
    since finding the shard first takes 1.8 times as long.
    Measured by `python -m tests.benchmarks.memory_store` and `nox -s bench -- --only hit-ratio`.

    `resize` changes all of this under load. Records then move in bounded steps, by `settle` and with each put, and
    until they have, the sums may exceed the new bounds, never those of before by more than what one put brings.

    Any thread may call any method. The store is bound to no event loop and may be used again after `aclose()`.
    """

    is_remote = False

    def __init__(
        self,
        *,
        shards: int = 8,
        max_entries: int = 5000,
        max_bytes: int = 64 * 2**20,
        max_record: int = LARGEST,
        clock: Clock = time.time,
        on_event: Listener | None = None,
    ) -> None:
        if shards < 1 or max_entries < 0 or max_bytes < 0 or max_record < 1:
            raise ValueError(
                f"A memory store of {shards=}, {max_entries=}, {max_bytes=}, {max_record=} cannot be: "
                "shards and max_record are at least 1, the others at least 0."
            )
        self._index: dict[CacheKey, Kept] = {}
        self._bounds = (shard_count(shards, max_entries, max_bytes, max_record), max_entries, max_bytes)
        self._layout = _Layout(self._places())
        self._resizing = Lock()
        self._gone = (0, 0, 0)
        """Evictions, expirations and refusals of shards that are no more."""
        self._clock = clock
        self._tell = None if on_event is None or not wants(on_event, Evicted, NotStored) else guarded(on_event)
        self._swept = 0

    def near(self, key: CacheKey) -> Record | None:
        """Return the record, also if it has expired and was not swept yet. Never waits, takes no lock."""
        # 210 ns of which a call and a dict lookup are 175. With the shard looked up first it is 375, with the record
        # found by `in` and then by index 330.
        kept = self._index.get(key)
        if kept is None:
            return None
        if kept.uses < MAX_USES:
            kept.uses += 1
        return kept.record

    async def get(self, key: CacheKey) -> Record | None:
        """Return what `near` returns."""
        return self.near(key)

    async def set(self, key: CacheKey, record: Record) -> None:
        """Keep *record* under *key* in place of what was there, unless it is larger than a shard."""
        self.put(key, record)

    async def delete(self, key: CacheKey) -> None:
        """Forget *key*; no error if it is not there."""
        self.drop(key)

    async def clear(self) -> None:
        """Forget everything. What another thread puts meanwhile may stay."""
        for shard, lock in self._layout.all:
            with lock:
                shard.clear()

    async def aclose(self) -> None:
        """Forget everything. Idempotent."""
        await self.clear()

    def put(self, key: CacheKey, record: Record) -> None:
        """Do what `set` does, without a coroutine."""
        now = self._clock()
        while True:
            layout = self._layout
            if layout.leaving:
                self._forget_in(layout.leaving, key)
                self.settle(SWEPT_BY_PUT)
                layout = self._layout
            shard, lock = layout.places[hash(key) % len(layout.places)]
            lock.acquire()  # A `with` takes twice as long: 600 ns instead of 280, where a put takes 2500.
            if layout is self._layout:
                break
            lock.release()
        try:
            evictions, expirations = shard.evictions, shard.expirations
            if not shard.puts % PUTS_PER_SWEEP:
                shard.sweep(now, SWEPT_BY_PUT)
            is_kept = shard.put(key, record, now)
            evictions, expirations = shard.evictions - evictions, shard.expirations - expirations
        finally:
            lock.release()
        if self._tell is None:
            return
        if not is_kept:
            self._tell(NotStored(key=key, reason="too-large"))
        if evictions:
            self._tell(Evicted(count=evictions, reason="size"))
        if expirations:
            self._tell(Evicted(count=expirations, reason="expired"))

    def drop(self, key: CacheKey) -> None:
        """Do what `delete` does, without a coroutine."""
        while True:
            layout = self._layout
            self._forget_in(layout.leaving, key)
            shard, lock = layout.places[hash(key) % len(layout.places)]
            with lock:
                if layout is self._layout:
                    shard.drop(key)
                    return

    def holds(self, key: CacheKey, token: int) -> bool:
        """Return whether the record whose `id` is *token* stands under *key*; asking does not count as use."""
        kept = self._index.get(key)
        return kept is not None and id(kept.record) == token

    def sweep(self, now: float, budget: int = 200) -> int:
        """Look at up to *budget* records from where the last sweep stopped, and forget those that expired by *now*.

        Returns how many it forgot. *now* is in seconds on the store's clock. Each shard gets an even part of the
        budget, and what the shards before it did not need.
        """
        places = self._layout.places
        count = len(places)
        start = self._swept % count
        self._swept = (start + 1) % count  # So a budget smaller than the number of shards reaches all of them in turn.
        expired = 0
        for turn in range(count):
            shard, lock = places[(start + turn) % count]
            with lock:
                looks = min(budget // (count - turn), shard.entries)
                expired += shard.sweep(now, looks)
            budget -= looks
        if expired and self._tell is not None:
            self._tell(Evicted(count=expired, reason="expired"))
        return expired

    def stats(self) -> MemoryStats:
        """Return what it holds. While other threads write, the numbers may be of different moments."""
        shards = [shard for shard, _ in self._layout.all]
        (count, max_entries, max_bytes), (evictions, expirations, refusals) = self._bounds, self._gone
        return MemoryStats(
            shards=count,
            entries=sum(shard.entries for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            max_entries=max_entries,
            max_bytes=max_bytes,
            ghosts=sum(shard.ghosts for shard in shards),
            evictions=evictions + sum(shard.evictions for shard in shards),
            expirations=expirations + sum(shard.expirations for shard in shards),
            refusals=refusals + sum(shard.refusals for shard in shards),
        )

    def resize(self, *, shards: int, max_entries: int, max_bytes: int, max_record: int) -> None:
        """Have these bounds from now on. What is kept stays found, and moves, or leaves if it must, by `settle`."""
        bounds = (shard_count(shards, max_entries, max_bytes, max_record), max_entries, max_bytes)
        with self._resizing:
            if bounds == self._bounds:
                return
            self._bounds = bounds
            self._layout = _Layout(self._places(), (*self._layout.leaving, self._layout.places))

    def settle(self, budget: int = 200) -> bool:
        """Move up to *budget* records to where they belong after a resize; return whether there are more to move."""
        if not self._layout.leaving:
            return False
        now = self._clock()
        before = self._counts()
        with self._resizing:
            places, leaving = self._layout.places, self._layout.leaving
            # One of each in turn, as the oldest are to go where there is no room for all.
            turns = deque(leaving[0] if leaving else ())
            while turns and budget > 0:
                shard, lock = turns.popleft()
                with lock:
                    taken = shard.take()
                    if taken is None:
                        continue
                    # Under both locks, so that nobody puts or drops the key between the two shards.
                    kept, is_proven = taken
                    home, home_lock = places[hash(kept.key) % len(places)]
                    with home_lock:
                        home.adopt(kept, now, is_proven=is_proven)
                turns.append((shard, lock))
                budget -= 1
            if leaving and not self._is_held(leaving[0]):
                for shard, _ in leaving[0]:
                    evictions, expirations, refusals = self._gone
                    self._gone = (
                        evictions + shard.evictions,
                        expirations + shard.expirations,
                        refusals + shard.refusals,
                    )
                self._layout = _Layout(places, leaving[1:])
        evictions, expirations = (after - earlier for after, earlier in zip(self._counts(), before, strict=True))
        if self._tell is not None and evictions > 0:
            self._tell(Evicted(count=evictions, reason="size"))
        if self._tell is not None and expirations > 0:
            self._tell(Evicted(count=expirations, reason="expired"))
        return bool(self._layout.leaving)

    def _places(self) -> Places:
        count, max_entries, max_bytes = self._bounds
        return [
            (Shard(self._index, max_entries=entries, max_bytes=size), Lock())
            for entries, size in zip(_split(max_entries, count), _split(max_bytes, count), strict=True)
        ]

    def _forget_in(self, leaving: tuple[Places, ...], key: CacheKey) -> None:
        """Forget *key* where it is not at home any more."""
        for places in leaving:
            shard, lock = places[hash(key) % len(places)]
            with lock:
                if shard.owns(key):
                    shard.drop(key)

    def _is_held(self, places: Places) -> bool:
        """Return whether any of *places* has records; once one is empty nobody puts any there."""
        for shard, lock in places:
            with lock:
                if shard.entries:
                    return True
        return False

    def _counts(self) -> tuple[int, int]:
        shards = [shard for shard, _ in self._layout.all]
        return (
            self._gone[0] + sum(shard.evictions for shard in shards),
            self._gone[1] + sum(shard.expirations for shard in shards),
        )


def shard_count(shards: int, max_entries: int, max_bytes: int, max_record: int) -> int:
    """How many shards there are: fewer than *shards* where *max_record* would not fit, or keys would collide."""
    return max(1, min(shards, max_entries // FEWEST, max_bytes // max_record))


def _split(total: int, parts: int) -> list[int]:
    """Divide *total* into *parts* that differ by one at most and add up to it."""
    each, rest = divmod(total, parts)
    return [each + (part < rest) for part in range(parts)]
