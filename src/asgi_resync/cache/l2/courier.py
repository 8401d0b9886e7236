"""Delivers purges that wait in the ledger to the journal. When to, and who has heard of them, is not for it to know.

A dropped key is told in three steps: a version is given, records are dropped with a tombstone of that version, and only
then it enters the journal. Whoever reads the old record before the second step hears of the drop in the third; whoever
was asked before the first is refused by the tombstone; whoever has seen the version was asked after the drop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..._asgi import Clock
from ...events import CacheKey, Event, PurgeDelivered
from ..tags import PurgeLedger
from ..undelivered import Batch
from .frames import Frames
from .journal import REACH, Journal, Written
from .messages import Purged
from .names import key_bytes

CHUNK = 500
MAX_RECENT = 1000
"""Dropped keys that are dropped again where Redis forgot it: what was under way for them may be written still."""


class Courier:
    """Delivers what *ledger* has undelivered; *drop* removes a record from Redis and refuses older ones.

    One delivery at a time: purges that come meanwhile travel together afterwards. It is bound to the event loop on
    which it is made.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: PurgeLedger,
        frames: Frames,
        *,
        drop: Callable[[CacheKey, int], Awaitable[None]],
        node: str,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._frames = frames
        self._drop = drop
        self._node = node
        self._clock = clock
        self._tell = tell
        self.loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._sequence = 0
        self._written: Written | None = None
        # Up to which version and drop of the ledger all is delivered.
        self._delivered = -1, -1
        # Keys that were dropped from here lately, with their versions, the oldest first.
        self._recent: dict[CacheKey, int] = {}

    async def deliver(self) -> Written | None:
        """Deliver all that waits now, and leave what comes meanwhile to who brings it.

        Returns what became of the last delivery, None before the first.

        What the caller purged is in it or in an earlier one. Raises Unreachable; the rest goes on waiting then.
        """
        undelivered = self._ledger.undelivered
        version, drops = self._ledger.version, undelivered.dropped
        async with self._lock:
            if version <= self._delivered[0] and drops <= self._delivered[1]:
                # It travelled with what others brought: whoever waited here brings nothing more.
                return self._written
            upto = self._ledger.version, undelivered.dropped
            for _ in range(undelivered.batches):
                if batch := undelivered.batch(self._ledger.version):
                    await self._carry(batch)
            self._delivered = upto
        return self._written

    async def remind(self, cluster: int) -> None:
        """Enter what the ledger knows since the version *cluster* where the journal forgot it: as of now, for all.

        Keys that were dropped from here since then are left to be delivered again. Raises Unreachable.
        """
        again = [key for key, version in self._recent.items() if version >= cluster]
        self._ledger.post_keys(again, now=self._clock())
        hard, soft = self._ledger.known_since(cluster)
        now = self._clock()
        for start in range(0, max(len(hard), len(soft)), CHUNK):
            end = start + CHUNK
            aged = [(tag, version, now - at) for tag, version, at in soft[start:end]]
            await self._journal.write(self._ledger.seen, payload=b"", hard=hard[start:end], soft=aged)

    async def _carry(self, batch: Batch) -> None:
        ledger = self._ledger
        keys = await self._drop_records(batch.keys)
        now = self._clock()
        soft = [(tag, now - at) for tag, at in batch.soft]
        self._sequence += 1
        written = await self._journal.write(
            ledger.seen,
            payload=self._frames.body(Purged(self._node, self._sequence, batch.hard, tuple(soft), tuple(keys))),
            hard=[(tag, 0) for tag in batch.hard],
            soft=[(tag, 0, age) for tag, age in soft],
            keys=keys,
        )
        ledger.delivered(batch, written.version)
        self._remember(batch.keys, written.version)
        if not written.is_other and written.previous <= ledger.seen:
            ledger.reached(written.changed)
        self._written = written
        self._tell(PurgeDelivered(count=len(batch.hard) + len(batch.soft) + len(batch.keys)))

    def _remember(self, keys: tuple[CacheKey, ...], version: int) -> None:
        for key in keys:
            self._recent.pop(key, None)
            self._recent[key] = version
        horizon = version - REACH * 1e6
        while self._recent:
            oldest = next(iter(self._recent))
            if len(self._recent) <= MAX_RECENT and self._recent[oldest] >= horizon:
                return
            del self._recent[oldest]

    async def _drop_records(self, keys: tuple[CacheKey, ...]) -> list[bytes]:
        """Drop the records under *keys*, and return what these are in Redis, without those that cannot be there."""
        named: list[tuple[CacheKey, bytes]] = []
        for key in keys:
            try:
                named.append((key, key_bytes(key)))
            except (TypeError, ValueError, OverflowError):
                continue  # Never written, and in no other process.
        if named:
            version = await self._journal.stamp(self._ledger.seen)
            outcomes = await asyncio.gather(*(self._drop(key, version) for key, _ in named), return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        return [raw for _, raw in named]
