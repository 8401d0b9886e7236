"""Expired entries leave without a request, in steps, and the sweep ends when it is told to."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.caching import turns
from tests.unit.virtual_time import run_at_once

from asgi_resync import MemoryStore, StoredResponse, events
from asgi_resync.cache.sweep import STEP, sweep_forever
from asgi_resync.testing import ManualClock


def entry(key: tuple[object, ...], now: float, lifetime: float) -> StoredResponse:
    return StoredResponse(
        key=key, status=200, headers=[], body=b"", stored_at=now, date=now, born=now, lifetime=lifetime
    )


async def test_expired_entries_leave_without_a_request() -> None:
    """What has expired is gone after a turn of the sweep, and what has not is there."""
    clock = ManualClock()
    told: list[events.Event] = []
    store = MemoryStore(clock=clock, on_event=told.append)
    for number in range(1000):
        await store.set((number,), entry((number,), clock(), 10 if number % 2 else 1000))
    clock.advance(20)

    sweep = asyncio.create_task(sweep_forever(store, clock, lambda: 0))
    await turns(50)
    sweep.cancel()
    await asyncio.wait({sweep})

    assert 500 == store.stats().entries
    assert store.near((0,)) is not None
    assert 500 == sum(event.count for event in told if isinstance(event, events.Evicted))


async def test_the_sweep_gives_way_after_each_step() -> None:
    """No request waits for more than a step: the loop turns between two of them."""
    clock = ManualClock()
    looked: list[int] = []

    class Counting(MemoryStore):
        def sweep(self, now: float, budget: int = 0) -> int:
            looked.append(budget)
            asyncio.get_running_loop().call_soon(lambda: looked.append(0))
            return super().sweep(now, budget)

    store = Counting(clock=clock)
    for number in range(3 * STEP):
        await store.set((number,), entry((number,), clock(), 10))

    sweep = asyncio.create_task(sweep_forever(store, clock, lambda: 0))
    await turns(4)
    sweep.cancel()

    assert [STEP, 0, STEP, 0] == looked[:4]


async def test_the_sweep_waits_for_its_interval_first() -> None:
    """At start-up there is nothing to sweep."""
    store = MemoryStore()
    sweep = asyncio.create_task(sweep_forever(store, ManualClock(), lambda: 3600))
    await turns()

    assert not sweep.done()
    sweep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweep


def test_a_shorter_interval_does_not_wait_for_the_longer_one() -> None:
    """Who lowers it from a day to a second is not to wait until tomorrow."""

    async def test() -> None:
        loop, clock, interval = asyncio.get_running_loop(), ManualClock(), [86400.0]
        store = MemoryStore(clock=clock)
        await store.set((1,), entry((1,), clock(), 10))
        clock.advance(20)
        sweep = asyncio.create_task(sweep_forever(store, clock, lambda: interval[0]))
        await asyncio.sleep(5.5)
        before, interval[0] = store.stats().entries, 7.0
        await asyncio.sleep(2)
        sweep.cancel()

        assert (before, store.stats().entries) == (1, 0)
        assert loop.time() == 7.5

    run_at_once(test())
