"""A plain link to a real Redis, with nothing of what makes one good: for tests of what stands on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

from redis.asyncio import Redis, RedisCluster

from asgi_resync.cache.l2.ports import Script


class PlainLink:
    """Speaks through *client* of redis-py as it is."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client

    async def get(self, name: str) -> bytes | None:
        return cast("bytes | None", await self._client.get(name))

    async def execute(self, *command: str | bytes | int | float) -> object:
        return await self._client.execute_command(*command)

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        return await cast("Awaitable[object]", self._client.eval(script.source, len(names), *names, *arguments))

    def listen(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise NotImplementedError

    async def aclose(self) -> None:
        await self._client.aclose()
