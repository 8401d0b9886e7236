"""The second tier as a store: records in Redis, shared by all processes. Whatever Redis does, nothing is raised."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..._asgi import Clock
from ...events import (
    CacheKey,
    Event,
    Listener,
    RecordBroken,
    TierAnswered,
    TierUnreachable,
    WriteDropped,
    guarded,
    wants,
)
from ..entry import StoredResponse
from ..store import Record
from ..tags import PurgeLedger
from .broken import Broken
from .codec import decode_record, encode_record
from .compression import is_available, is_worth_trying, pack
from .expiry import lifetime_there, px_of
from .frames import Frames
from .messages import Replaced
from .names import Names, digest_of, key_bytes
from .ports import Link, Unreachable
from .scripts import DROP, REFUSED, TOMBSTONE_PX, WRITE
from .signing import Seal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

THREADED = 256 * 2**10
"""Bytes from which a value is packed, sealed and read in a thread: that takes milliseconds, and lets the lock go."""

THREADS = 2
_TOO_LARGE = Broken("too large")
HEADROOM = 64 * 2**10
"""Bytes of a value besides its body."""


class RedisStore:
    """Keeps records in *redis*, a URL or a link, under names that begin with *prefix*.

    A response is fresh there for *ttl* seconds at most, less a random share of up to *jitter*, and kept for its longest
    stale window after that. With *signing_keys* values are signed with the first of them, and those that none of them
    signed are misses; without, changed bytes are found by a checksum, and whoever can write to Redis can write pages.
    Bodies are packed with zstd where *compress*, Python can, and it saves a tenth; above *max_body* bytes they are
    neither written nor read.

    *ledger* is the cache's: without it, what another process purged by tag is served. *origin* is the id by which
    other processes know this one; if it has one, they are told when a record takes the place of another.

    Each call waits for Redis no longer than *timeout* seconds; a link that is given has a deadline of its own. What
    fails is a miss, and an event; nothing is raised, but SettingsError for a URL that cannot be used. Times are in
    seconds. Making one connects to nothing.
    """

    is_remote = True

    def __init__(
        self,
        redis: str | Link,
        *,
        timeout: float = 0.05,
        prefix: str = "resync:",
        database: int = 0,
        ttl: float = 600.0,
        jitter: float = 0.1,
        signing_keys: Sequence[str] = (),
        compress: bool = True,
        max_body: int = 4 * 2**20,
        ledger: PurgeLedger | None = None,
        origin: str = "",
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        rng: Callable[[], float] = random.random,
        on_event: Listener | None = None,
    ) -> None:
        self._link = redis if not isinstance(redis, str) else _link_to(redis, timeout)
        self._names = Names(prefix, database)
        self._ttl = ttl
        self._jitter = jitter
        self._seal = Seal(signing_keys)
        self._frames = Frames(self._names.channel, signing_keys)
        self._compresses = compress and is_available
        self._max_body = max_body
        self._ledger = ledger
        self._origin = origin
        self._threads: ThreadPoolExecutor | None = None
        self._clock = clock
        self._rng = rng
        self._tell: Callable[[Event], None] | None = guarded(on_event) if on_event is not None else None
        self._is_timed = on_event is not None and wants(on_event, TierAnswered)
        self._monotonic = monotonic

    def rename(self, origin: str) -> None:
        """Be known to other processes as *origin* from now on: after a fork."""
        self._origin = origin
        self._threads = None  # They did not come along.

    async def _in_thread(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Run *function* in a thread of our own: those of the app may be busy for as long as it likes."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="asgi-resync")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def near(self, key: CacheKey) -> None:
        """Return None: nothing is held in this process."""

    def adjust(self, *, ttl: float, jitter: float, max_body: int) -> None:
        """Have these from now on; what is in Redis stays as it was written."""
        self._ttl, self._jitter, self._max_body = ttl, jitter, max_body

    async def get(self, key: CacheKey) -> Record | None:
        """Return what is kept under *key*; None also if Redis does not say, or what it says cannot be used."""
        try:
            return await self.read(key)
        except Unreachable:
            return None

    async def read(self, key: CacheKey) -> Record | None:
        """Do what `get` does, but raise Unreachable where Redis does not say; it has been told then."""
        ledger = self._ledger
        if ledger is not None and ledger.undelivered.drops(key):
            return None
        try:
            raw_key = key_bytes(key)
        except (TypeError, ValueError, OverflowError):
            return None
        name = self._names.record(digest_of(raw_key))
        try:
            began = self._monotonic() if self._is_timed else 0.0
            value = await self._link.get(name)
        except Unreachable as error:
            self._unreachable("get", error)
            raise
        self._answered("get", began)
        if value is None:
            return None
        record: Record | Broken
        if len(value) > self._max_body + HEADROOM:
            record = _TOO_LARGE
        elif len(value) > THREADED:
            record = await self._in_thread(self._open, name, value, key, raw_key)
        else:
            record = self._open(name, value, key, raw_key)
        if isinstance(record, Broken):
            if self._tell is not None:
                self._tell(RecordBroken(key=key, reason=record.reason))
            return None
        if record.keep_until <= self._clock():
            return None
        if ledger is not None:
            # Again: it may have been dropped while Redis was asked.
            if ledger.undelivered.drops(key):
                return None
            if isinstance(record, StoredResponse):
                record.epoch = ledger.local_epoch(record.seen, record.tags)
        return record

    async def set(self, key: CacheKey, record: Record) -> None:
        """Write *record*, unless *key* was dropped since its app was asked, or it is too large."""
        now = self._clock()
        lifetime = 0.0
        if isinstance(record, StoredResponse):
            lifetime = lifetime_there(record, now, cap=self._ttl, jitter=self._jitter, lot=self._rng())
            if len(record.body) > self._max_body:
                self._dropped(key, "too-large")
                return
        px = px_of(record, lifetime, now)
        if px <= 0:
            return
        try:
            raw_key = key_bytes(key)
            digest = digest_of(raw_key)
            name = self._names.record(digest)
            if isinstance(record, StoredResponse) and len(record.body) > THREADED:
                value = await self._in_thread(self._close, name, record, raw_key, lifetime)
            else:
                value = self._close(name, record, raw_key, lifetime)
        except (TypeError, ValueError, OverflowError):
            # A tag that is no Unicode, or a part of a key that is neither text nor bytes.
            self._dropped(key, "unwritable")
            return
        if len(value) > self._max_body + HEADROOM:
            self._dropped(key, "too-large")
            return
        message = self._frames.whole(Replaced(origin=self._origin, key=raw_key)) if self._origin else b""
        names = (name, self._names.tombstone(digest))
        try:
            began = self._monotonic() if self._is_timed else 0.0
            outcome = await self._link.script(WRITE, names, (value, px, record.seen, self._names.channel, message))
        except Unreachable as error:
            self._unreachable("set", error)
            return
        self._answered("set", began)
        if outcome == REFUSED:
            self._dropped(key, "superseded")

    async def delete(self, key: CacheKey) -> None:
        """Remove what is kept under *key*. It does not order: an answer under way may come after it; `drop` does."""
        try:
            name = self._names.record(digest_of(key_bytes(key)))
        except (TypeError, ValueError, OverflowError):
            return
        try:
            await self._link.execute("UNLINK", name)
        except Unreachable as error:
            self._unreachable("delete", error)

    def _answered(self, operation: str, began: float) -> None:
        if self._is_timed and self._tell is not None:
            self._tell(TierAnswered(operation=operation, seconds=self._monotonic() - began))

    async def drop(self, key: CacheKey, version: int) -> None:
        """Remove what is kept under *key*, and refuse what was asked for before the cluster *version*.

        Raises Unreachable, since whoever drops must know whether it was done.
        """
        try:
            digest = digest_of(key_bytes(key))
        except (TypeError, ValueError, OverflowError):
            return  # It was never written.
        names = (self._names.record(digest), self._names.tombstone(digest))
        await self._link.script(DROP, names, (version, TOMBSTONE_PX))

    async def clear(self) -> None:
        """Do nothing: that everything is purged is for the cache's ledger to know, here and in all processes.

        Removing all keys would take long, would miss those written meanwhile, and could not tell whose they are.
        """

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False)
        await self._link.aclose()

    def _open(self, name: str, value: bytes, key: CacheKey, raw_key: bytes) -> Record | Broken:
        data = self._seal.open(name, value)
        if isinstance(data, Broken):
            return data
        return decode_record(data, key, raw_key, max_body=self._max_body)

    def _close(self, name: str, record: Record, raw_key: bytes, lifetime: float) -> bytes:
        packed = None
        if self._compresses and isinstance(record, StoredResponse):
            packed = pack(record.body) if is_worth_trying(record.headers, len(record.body)) else None
        return self._seal.seal(name, encode_record(record, raw_key, lifetime=lifetime, packed=packed))

    def _dropped(self, key: CacheKey, reason: str) -> None:
        if self._tell is not None:
            self._tell(WriteDropped(key=key, reason=reason))

    def _unreachable(self, operation: str, error: Unreachable) -> None:
        if self._tell is not None:
            self._tell(TierUnreachable(operation=operation, cause=error.cause))


def _link_to(url: str, timeout: float) -> Link:
    from .link import RedisLink  # It loads redis-py, which an app without Redis need not pay for.

    return RedisLink(url, deadline=timeout)
