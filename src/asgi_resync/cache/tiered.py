"""Two tiers as one store: memory in front of what all processes share. It knows no Redis and no HTTP."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

from .._asgi import Clock
from ..events import CacheKey, Event, Listener, guarded
from .l2.ports import Unreachable
from .lapse import Lapses
from .memory import MemoryStore
from .store import Record, Store
from .writes import Writes

_LAPSED = "\0lapsed"


class Far(Store, Protocol):
    """A store that says when it does not know: `RedisStore` is one."""

    async def read(self, key: CacheKey) -> Record | None:
        """Do what `get` does, but raise `Unreachable` if it cannot be said whether there is a record."""


class _Read:
    """One read of the far tier, and those who wait for it."""

    __slots__ = ("found", "is_done", "is_void", "loop", "waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiters: list[asyncio.Future[None]] = []
        self.found: Record | None = None
        self.is_done = False
        """False at the end if it was cancelled or raised: then somebody else must read."""
        self.is_void = False
        """True once its key was set or dropped here: what it finds is older than that."""


class TieredStore:
    """Keeps records in *near*, and behind that in *far*, whose records it takes over when they are asked for.

    A record stays in *near* for *near_ttl* seconds at most, then it is read from *far* again, so that even a process
    that hears nothing of others follows them. If *far* cannot be reached then, the one in memory is used on.
    Writes to *far* wait in a queue of *queue_records* that weigh *queue_bytes* at most; what finds it full is not
    written, and told as `WriteDropped`. `aclose` writes what waits for *drain_timeout* seconds at most.

    `near()` costs what it costs in memory. It works on one event loop at a time.
    """

    is_remote = True

    def __init__(
        self,
        near: MemoryStore,
        far: Far,
        *,
        near_ttl: float = 60.0,
        queue_records: int = 1000,
        queue_bytes: int = 32 * 2**20,
        writers: int = 4,
        drain_timeout: float = 5.0,
        monotonic: Clock = time.monotonic,
        on_event: Listener | None = None,
    ) -> None:
        tell: Callable[[Event], None] | None = guarded(on_event) if on_event is not None else None
        self.memory = near
        self.near: Callable[[CacheKey], Record | None] = near.near
        """The method of the first tier itself: a hit there pays for no second call."""
        self._far = far
        self._near_ttl = near_ttl
        self._drain_timeout = drain_timeout
        self._monotonic = monotonic
        self._writes = Writes(far, max_records=queue_records, max_bytes=queue_bytes, writers=writers, tell=tell)
        self._reads: dict[CacheKey, _Read] = {}
        self._lapses = Lapses(near.holds)
        self._timer: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None

    async def get(self, key: CacheKey) -> Record | None:
        """Return the record of the nearest tier that has it. At a time one call per key asks *far*, for all."""
        loop = asyncio.get_running_loop()
        while True:
            record = self._held(key)
            if record is not None:
                return record
            read = self._reads.get(key)
            if read is None or read.loop is not loop:
                return await self._read(key, loop)
            waiter: asyncio.Future[None] = loop.create_future()
            read.waiters.append(waiter)
            await waiter
            if read.is_done:
                return self._held(key) if read.is_void else read.found

    def _held(self, key: CacheKey) -> Record | None:
        record = self.near(key)
        # What had no room in memory can be had while it waits to be written.
        return record if record is not None else self._writes.waiting(key)

    async def _read(self, key: CacheKey, loop: asyncio.AbstractEventLoop) -> Record | None:
        self._void(key)  # Of a loop that ended in its midst, if there is one.
        read = self._reads[key] = _Read(loop)
        try:
            try:
                found = await self._far.read(key)
            except Unreachable:
                found = self.near((_LAPSED, key))
            read.is_done = True
        finally:
            if not read.is_void:
                del self._reads[key]
            for waiter in read.waiters:
                if not waiter.done():
                    waiter.set_result(None)
        if read.is_void:
            return self._held(key)
        read.found = found
        self.memory.drop((_LAPSED, key))
        if found is not None:
            self._keep(key, found)
        return found

    def _void(self, key: CacheKey) -> None:
        """Let a read under way count for nothing: it began before what is done now."""
        read = self._reads.pop(key, None)
        if read is not None:
            read.is_void = True

    def _keep(self, key: CacheKey, record: Record) -> None:
        self.memory.put(key, record)
        if math.isinf(self._near_ttl):
            return
        self._lapses.add(self._monotonic() + self._near_ttl, key, id(record))
        self._arm()

    def adjust(self, near_ttl: float) -> None:
        """Have records stay in *near* for *near_ttl* seconds, those that are there too if that is shorter."""
        shorter = self._near_ttl - near_ttl
        self._near_ttl = near_ttl
        if shorter > 0 and self._timer is not None:
            self._lapses.hasten(shorter)
            loop, _ = self._timer
            loop.call_soon_threadsafe(self._rearm)

    def _rearm(self) -> None:
        self._disarm()
        self._arm()

    def _arm(self) -> None:
        """See to it that `lapse` is called on this loop when the first record is to leave."""
        loop = asyncio.get_running_loop()
        first = self._lapses.first
        if first is None or (self._timer is not None and self._timer[0] is loop):
            return
        self._disarm()
        self._timer = loop, loop.call_later(max(0.0, first - self._monotonic()), self._lapse_in_turn)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    def _lapse_in_turn(self) -> None:
        self._timer = None
        self.lapse()
        self._arm()

    def lapse(self) -> None:
        """Take out of the first tier what has been there for its time there. It does so by itself; tests need not wait.

        The record stays in memory, within the same bounds, for when the second tier cannot be reached.
        """
        for key, token in self._lapses.due(self._monotonic()):
            if self.memory.holds(key, token):
                record = self.near(key)
                assert record is not None
                self.memory.drop(key)
                self.memory.put((_LAPSED, key), record)

    async def set(self, key: CacheKey, record: Record) -> None:
        """Keep *record* here at once, and in *far* soon."""
        self._void(key)
        self.memory.drop((_LAPSED, key))
        self._keep(key, record)
        self._writes.add(key, record)

    async def delete(self, key: CacheKey) -> None:
        """Forget *key* here at once, then in *far*."""
        self.forget(key)
        self._writes.drop(key)
        await self._far.delete(key)

    def forget(self, key: CacheKey) -> None:
        """Forget *key* here, since another process replaced or dropped it; a read under way counts for nothing."""
        self._void(key)
        self.memory.drop(key)
        self.memory.drop((_LAPSED, key))
        self._writes.forget(key)

    async def clear(self) -> None:
        """Forget everything here. In *far* it is forgotten as *far* says."""
        for read in self._reads.values():
            read.is_void = True
        self._reads.clear()
        self._writes.clear()
        self._lapses.clear()
        await self.memory.clear()
        await self._far.clear()

    async def written(self, key: CacheKey) -> None:
        """Wait until what was set under *key* is in *far*, or will not be. It has no deadline of its own."""
        await self._writes.written(key)

    async def flush(self, timeout: float) -> None:
        """Wait up to *timeout* seconds until what was set is in *far*; what is not by then is dropped, and told."""
        await self._writes.flush(timeout)

    async def aclose(self) -> None:
        """Write what waits, then close both tiers. Idempotent."""
        await self.flush(self._drain_timeout)
        self._disarm()
        self._lapses.clear()
        await self._far.aclose()
        await self.memory.aclose()
