"""The app's own use of Redis: one client for each event loop, made when it is first asked for. It sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..breaker.breaker import Breaker
from ..errors import RuleError

if TYPE_CHECKING:
    from redis.asyncio import Redis


class AppRedis:
    """Clients of redis-py for *url*, behind *breaker*. It is bound to no loop; what it gives is."""

    def __init__(self, url: str | None, breaker: Breaker) -> None:
        self._url = url
        self._breaker = breaker
        self._open: dict[tuple[asyncio.AbstractEventLoop, bool], tuple[Redis, Callable[[], Awaitable[None]]]] = {}

    def client(self, *, decode_responses: bool) -> Redis:
        """Return the client of the running loop. Raises RuleError without a URL, RuntimeError without a loop."""
        if self._url is None:
            raise RuleError("RESYNC_REDIS_URL", None, "set it, such as redis://localhost:6379/0")
        loop = asyncio.get_running_loop()
        found = self._open.get((loop, decode_responses))
        if found is None:
            from .redis import open_redis  # which loads redis

            for gone in [key for key in list(self._open) if key[0].is_closed()]:
                self._open.pop(gone, None)
            found = open_redis(self._url, self._breaker, decode_responses=decode_responses)
            self._open[loop, decode_responses] = found
        return found[0]

    async def aclose(self) -> None:
        """Close those of the running loop."""
        loop = asyncio.get_running_loop()
        for key in [key for key in list(self._open) if key[0] is loop]:
            _, close = self._open.pop(key)
            await close()
