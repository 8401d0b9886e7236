"""What the tests of the cache middleware share: a cached app with its clock and its events. It asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asgi_resync import Cache, CacheMiddleware, CacheOptions, CacheRule, events
from asgi_resync._asgi import ASGIApp, Message
from asgi_resync.testing import ManualClock, Response, request

FRESH = {"cache-control": "max-age=60"}


@dataclass(slots=True)
class Cached:
    """An app behind a cache of its own, called with `get`, or `ask` for the rest."""

    app: CacheMiddleware
    cache: Cache
    clock: ManualClock
    events: list[events.Event]

    async def ask(self, method: str = "GET", path: str = "/", **more: Any) -> Response:
        return await request(self.app, method, path, **more)

    async def get(self, path: str = "/", **more: Any) -> Response:
        return await request(self.app, "GET", path, **more)

    @property
    def told(self) -> list[str]:
        """The names of the events since the last look."""
        names = [type(event).__name__ for event in self.events]
        self.events.clear()
        return names


def cached(app: ASGIApp, *rules: CacheRule, **options: Any) -> Cached:
    """Return *app* behind a new cache with *options*."""
    clock = ManualClock()
    told: list[events.Event] = []
    cache = Cache(options=CacheOptions(**options), clock=clock, on_event=told.append)
    return Cached(CacheMiddleware(app, cache=cache, rules=rules), cache, clock, told)


async def turns(count: int = 20) -> None:
    """Let the event loop turn, so that everything that can go on without an outside event has gone on."""
    for _ in range(count):
        await asyncio.sleep(0)


def into(messages: list[Message]) -> Callable[[Message], Awaitable[None]]:
    """Return an `on_send` that records, for requests that end in an exception."""

    async def record(message: Message) -> None:
        messages.append(dict(message))

    return record
