"""Lets any number wait for something to change. It does not know what."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes whoever waits for something to change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait until it rings."""
        await self._event.wait()
