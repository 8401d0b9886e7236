"""Processes of a cluster as tests see them: a link that can be cut, a memory, and a backplane between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.backplane import Backplane
from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.ports import Script, Unreachable
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.store import Record
from asgi_resync.cache.tags import PurgeLedger
from asgi_resync.events import CacheKey, Event


class CuttableLink:
    """A link that can be cut: nothing passes then, and who listens is told so."""

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url, deadline=10.0)
        self.is_cut = False
        self.is_deaf = False
        """Messages are lost; commands pass."""

    def cut(self) -> None:
        self.is_cut = True

    def mend(self) -> None:
        self.is_cut = False

    def _check(self) -> None:
        if self.is_cut:
            raise Unreachable("cut")

    async def get(self, name: str) -> bytes | None:
        self._check()
        return await self._link.get(name)

    async def execute(self, *command: str | bytes | int | float) -> object:
        self._check()
        return await self._link.execute(*command)

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        self._check()
        return await self._link.script(script, names, arguments)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        self._check()
        async with self._link.listen(channel) as frames:
            yield self._heard(frames)

    async def _heard(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            reading = asyncio.ensure_future(anext(frames))
            try:
                while not reading.done():
                    await asyncio.wait({reading}, timeout=0.005)
                    self._check()
            finally:
                reading.cancel()
                await asyncio.wait({reading})
            if not self.is_deaf:
                yield reading.result()

    async def aclose(self) -> None:
        await self._link.aclose()


class Ticks:
    """Sleep that ends when the test says so."""

    def __init__(self) -> None:
        self._sleepers: list[asyncio.Future[None]] = []

    async def sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        await sleeper

    def tick(self) -> None:
        sleepers, self._sleepers = self._sleepers, []
        for sleeper in sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


class Node:
    """One process: a memory of records by key, Redis behind it, and a backplane between."""

    def __init__(self, name: str, url: str, prefix: str, *, patience: float = 2.0, **options: Any) -> None:
        self.events: list[Event] = []
        self.memory: dict[CacheKey, StoredResponse] = {}
        self.dropped: dict[CacheKey, int] = {}
        self.woken_keys: list[CacheKey] = []
        self.drops = 0
        self.now = 1_000_000.0
        self.passed = 0.0
        self.ticks = Ticks()
        self.link = CuttableLink(url)
        self.ledger = PurgeLedger()
        self.store = RedisStore(self.link, prefix=prefix, ledger=self.ledger, jitter=0.0, clock=lambda: self.now)
        self.backplane = Backplane(
            self.link,
            self.ledger,
            self,
            drop=self.store.drop,
            node=name,
            prefix=prefix,
            patience=patience,
            clock=lambda: self.now,
            monotonic=lambda: self.passed,
            sleep=self.ticks.sleep,
            on_event=self.events.append,
            **options,
        )
        self._task: asyncio.Task[None] | None = None

    def drop_near(self, keys: Iterable[CacheKey]) -> None:
        self.drops += 1
        for key in keys:
            self.memory.pop(key, None)
            self.dropped[key] = self.drops

    def replaced(self, key: CacheKey) -> None:
        self.memory.pop(key, None)

    def woken(self, key: CacheKey) -> None:
        self.woken_keys.append(key)

    async def start(self) -> None:
        self._task = asyncio.create_task(self.backplane.run())
        await self.until(lambda: self.backplane.is_live)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.link.aclose()
        await asyncio.sleep(0.001)  # Connections that were given up close in the next turn of the loop.

    async def until(self, condition: Callable[[], object], *, ticking: bool = False) -> None:
        """Return once *condition* holds; with *ticking*, sleeps end meanwhile."""
        async with asyncio.timeout(10):
            while not condition():
                if ticking:
                    self.ticks.tick()
                await asyncio.sleep(0.0005)

    async def look(self) -> None:
        """Let it look at the journal once."""
        before = self.backplane._looked_at
        self.passed += 0.001
        await self.until(lambda: self.backplane._looked_at != before, ticking=True)

    async def cut(self) -> None:
        self.link.cut()
        await self.until(lambda: not self.backplane.is_live)

    async def mend(self) -> None:
        self.link.mend()
        await self.until(lambda: self.backplane.is_live, ticking=True)

    def ask(self, key: CacheKey, *tags: str, body: bytes = b"") -> tuple[StoredResponse, int]:
        """Begin a call of the app; `finish` takes what it brings."""
        entry = StoredResponse(
            key=key,
            status=200,
            headers=[],
            body=body,
            stored_at=self.now,
            date=self.now,
            born=self.now,
            lifetime=1000,
            tags=tags,
            epoch=self.ledger.version,
            seen=self.ledger.seen,
        )
        return entry, self.drops

    async def finish(self, call: tuple[StoredResponse, int]) -> None:
        """Store what a call brought, unless its key was dropped since or a purge concerns it."""
        entry, moment = call
        if self.dropped.get(entry.key, 0) > moment or self.ledger.standing(entry) == "purged":
            return
        self.memory[entry.key] = entry
        await self.store.set(entry.key, entry)

    async def read(self, key: CacheKey) -> bytes | None:
        """Return the body that a request for *key* is served as fresh."""
        entry = self.memory.get(key)
        if entry is None:
            moment = self.drops
            found = await self.store.get(key)
            if isinstance(found, StoredResponse) and self.dropped.get(key, 0) <= moment:
                entry = self.memory[key] = found
        return self.served(entry)

    def served(self, record: Record | None) -> bytes | None:
        """Return the body of *record* if it may be served as fresh."""
        good = isinstance(record, StoredResponse) and self.ledger.standing(record) == "good"
        return record.body if isinstance(record, StoredResponse) and good else None
