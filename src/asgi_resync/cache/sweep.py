"""Drops expired entries in steps so small that no request waits for one. It knows no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .._asgi import Clock
from .memory import MemoryStore

STEP = 200
LONGEST_SLEEP = 1.0
"""Seconds after which a new interval counts, however long the old one was."""


async def settle_all(store: MemoryStore) -> None:
    """Move what a resize of *store* has left to move, giving way to requests after every `STEP` entries."""
    while store.settle(STEP):  # noqa: ASYNC110 - each turn moves some; it does not wait for others
        await asyncio.sleep(0)


async def _slept(interval: Callable[[], float]) -> None:
    """Sleep for *interval*, whose value may change meanwhile."""
    slept = 0.0
    while True:
        step = min(LONGEST_SLEEP, max(0.0, interval() - slept))
        await asyncio.sleep(step)
        slept += step
        if slept >= interval():
            return


async def sweep_forever(store: MemoryStore, clock: Clock, interval: Callable[[], float]) -> None:
    """Sweep *store* until cancelled, with *interval* seconds between, giving way to requests every `STEP` entries."""
    while True:
        await _slept(interval)
        await settle_all(store)
        left = store.stats().entries
        while left > 0:
            store.sweep(clock(), STEP)
            left -= STEP
            await asyncio.sleep(0)
