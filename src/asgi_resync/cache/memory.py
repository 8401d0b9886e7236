"""The first tier: records in this process, bounded in bytes and in entries. It waits for nothing and does no I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock

from .._asgi import Clock
from ..events import CacheKey, Evicted, Listener, NotStored, guarded, wants
from .eviction import MAX_USES, Kept, Shard
from .store import Record

LARGEST = 4 * 2**20 + 64 * 2**10
"""Bytes of the largest record that is to fit: the default body cap, and room for its headers and key."""
FEWEST = 16
"""A shard of fewer entries than this evicts what it should keep, since its keys are few enough to collide."""
PUTS_PER_SWEEP = 16
"""Every so many puts to a shard one of them sweeps a little of it, so that the dead leave without a background task."""
SWEPT_BY_PUT = 2 * PUTS_PER_SWEEP
"""Records such a put looks at. Two for each put, as with one a store that grows would run away from its sweep;
and together, since calling a sweep costs more than what it does to one record."""


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
    Measured by `python -m tests.benchmarks.memory_store` and `python -m tests.benchmarks.hit_ratio`.

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
        count = max(1, min(shards, max_entries // FEWEST, max_bytes // max_record))
        self._index: dict[CacheKey, Kept] = {}
        self._shards = [
            Shard(self._index, max_entries=entries, max_bytes=size)
            for entries, size in zip(_split(max_entries, count), _split(max_bytes, count), strict=True)
        ]
        self._locks = [Lock() for _ in self._shards]
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
        for shard, lock in zip(self._shards, self._locks, strict=True):
            with lock:
                shard.clear()

    async def aclose(self) -> None:
        """Forget everything. Idempotent."""
        await self.clear()

    def put(self, key: CacheKey, record: Record) -> None:
        """Do what `set` does, without a coroutine."""
        now = self._clock()
        number = hash(key) % len(self._shards)
        shard = self._shards[number]
        lock = self._locks[number]
        lock.acquire()  # A `with` takes twice as long: 600 ns instead of 280, where a put takes 2500.
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
        number = hash(key) % len(self._shards)
        with self._locks[number]:
            self._shards[number].drop(key)

    def holds(self, key: CacheKey, token: int) -> bool:
        """Return whether the record whose `id` is *token* stands under *key*; asking does not count as use."""
        kept = self._index.get(key)
        return kept is not None and id(kept.record) == token

    def sweep(self, now: float, budget: int = 200) -> int:
        """Look at up to *budget* records from where the last sweep stopped, and forget those that expired by *now*.

        Returns how many it forgot. *now* is in seconds on the store's clock. Each shard gets an even part of the
        budget, and what the shards before it did not need.
        """
        count = len(self._shards)
        start = self._swept
        self._swept = (start + 1) % count  # So a budget smaller than the number of shards reaches all of them in turn.
        expired = 0
        for turn in range(count):
            number = (start + turn) % count
            shard = self._shards[number]
            with self._locks[number]:
                looks = min(budget // (count - turn), shard.entries)
                expired += shard.sweep(now, looks)
            budget -= looks
        if expired and self._tell is not None:
            self._tell(Evicted(count=expired, reason="expired"))
        return expired

    def stats(self) -> MemoryStats:
        """Return what it holds. While other threads write, the numbers may be of different moments."""
        shards = self._shards
        return MemoryStats(
            shards=len(shards),
            entries=sum(shard.entries for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            max_entries=sum(shard.max_entries for shard in shards),
            max_bytes=sum(shard.max_bytes for shard in shards),
            ghosts=sum(shard.ghosts for shard in shards),
            evictions=sum(shard.evictions for shard in shards),
            expirations=sum(shard.expirations for shard in shards),
            refusals=sum(shard.refusals for shard in shards),
        )


def _split(total: int, parts: int) -> list[int]:
    """Divide *total* into *parts* that differ by one at most and add up to it."""
    each, rest = divmod(total, parts)
    return [each + (part < rest) for part in range(parts)]
