"""A link to a Redis that is in this process, fails and waits on command, and knows only what the store says to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from asgi_resync.cache.l2.ports import Script, Unreachable
from asgi_resync.cache.l2.scripts import DROP, NEW, REFUSED, REPLACED, WRITE


class FakeLink:
    """`values` are what it holds, `kept` for how many milliseconds; `failure` makes every call raise Unreachable."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.kept: dict[str, int] = {}
        self.published: list[tuple[str, bytes]] = []
        self.failure: str | None = None
        self.gets = 0
        self.closed = 0
        self.hold: asyncio.Event | None = None
        """What calls wait for, after they have read and before they write."""

    async def _pause(self) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise Unreachable(self.failure)

    async def get(self, name: str) -> bytes | None:
        self.gets += 1
        found = self.values.get(name)
        await self._pause()
        return found

    async def execute(self, *command: str | bytes | int | float) -> object:
        await self._pause()
        assert command[0] == "UNLINK"
        return int(self.values.pop(str(command[1]), None) is not None)

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        await self._pause()
        record, tombstone = names
        dropped = int(self.values.get(tombstone, b"-1"))
        if script is WRITE:
            value, px, seen, channel, message = arguments
            assert isinstance(value, bytes)
            assert isinstance(message, bytes)
            if int(seen) < dropped:
                return REFUSED
            outcome = REPLACED if record in self.values else NEW
            self.values[record], self.kept[record] = value, int(px)
            if outcome == REPLACED and message:
                self.published.append((str(channel), message))
            return outcome
        assert script is DROP
        version, px = arguments
        if int(version) > dropped:
            self.values[tombstone], self.kept[tombstone] = str(version).encode(), int(px)
        return int(self.values.pop(record, None) is not None)

    def listen(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed += 1
