"""Processes of a cluster as tests see them: a plain link that can be cut, a memory, and a backplane between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.backplane import Backplane
from asgi_resync.cache.l2.ports import Script, Unreachable
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.tags import PurgeLedger
from asgi_resync.events import CacheKey, Event


class PlainLink:
    """A link over redis-py as it is. While it is cut, nothing passes; what listens is told so."""

    def __init__(self, port: int) -> None:
        self._client: Any = redis.asyncio.Redis(
            host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0), socket_timeout=5, protocol=2
        )
        self._commands: set[asyncio.Future[Any]] = set()
        self.is_cut = False
        self.is_deaf = False
        """Messages are lost; commands pass."""

    def cut(self) -> None:
        self.is_cut = True

    def mend(self) -> None:
        self.is_cut = False

    async def get(self, name: str) -> bytes | None:
        value: bytes | None = await self._do(lambda: self._client.get(name))
        return value

    async def execute(self, *command: str | bytes | int | float) -> object:
        return await self._do(lambda: self._client.execute_command(*command))

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        return await self._do(lambda: self._client.eval(script.source, len(names), *names, *arguments))

    async def _do(self, command: Callable[[], Any]) -> Any:
        if self.is_cut:
            raise Unreachable("cut")
        # redis-py, cancelled in mid-command, may raise an error of its own instead, so cancelling stays outside.
        task = asyncio.ensure_future(command())
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        try:
            return await asyncio.shield(task)
        except (RedisError, OSError) as error:
            raise Unreachable(type(error).__name__) from error

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if self.is_cut:
            raise Unreachable("cut")
        async with self._client.pubsub() as pubsub:
            await self._do(lambda: pubsub.subscribe(channel))
            await self._do(lambda: pubsub.get_message(timeout=5))
            try:
                yield self._messages(pubsub)
            finally:
                if self._commands:
                    await asyncio.wait(self._commands)

    async def _messages(self, pubsub: Any) -> AsyncIterator[bytes]:
        while True:
            # Short waits: cancelling redis-py in mid-read costs the connection.
            message = await self._do(lambda: pubsub.get_message(timeout=0.005))
            if message is not None and message["type"] == "message" and not self.is_deaf:
                yield message["data"]

    async def aclose(self) -> None:
        if self._commands:
            await asyncio.wait(self._commands)
        await self._client.aclose()


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

    def __init__(self, name: str, port: int, prefix: str, *, patience: float = 2.0, **options: Any) -> None:
        self.events: list[Event] = []
        self.memory: dict[CacheKey, StoredResponse] = {}
        self.dropped: dict[CacheKey, int] = {}
        self.woken_keys: list[CacheKey] = []
        self.drops = 0
        self.now = 1_000_000.0
        self.passed = 0.0
        self.ticks = Ticks()
        self.link = PlainLink(port)
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
        return entry.body if entry is not None and self.ledger.standing(entry) == "good" else None
