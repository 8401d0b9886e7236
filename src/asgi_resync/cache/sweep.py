"""Drops expired entries in steps so small that no request waits for one. It knows no HTTP."""

from __future__ import annotations

import asyncio

from .._asgi import Clock
from .memory import MemoryStore

STEP = 200


async def sweep_forever(store: MemoryStore, clock: Clock, interval: float) -> None:
    """Sweep *store* every *interval* seconds until cancelled, giving way to requests after every `STEP` entries."""
    while True:
        await asyncio.sleep(interval)
        left = store.stats().entries
        while left > 0:
            store.sweep(clock(), STEP)
            left -= STEP
            await asyncio.sleep(0)
