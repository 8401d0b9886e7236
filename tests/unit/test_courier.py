"""Purges that come while others are delivered: whose delivery waits for what."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from tests.contract.store_contract import NOW

from asgi_resync.cache.l2.backplane import Backplane
from asgi_resync.cache.l2.courier import Courier
from asgi_resync.cache.l2.frames import Frames
from asgi_resync.cache.l2.journal import Journal, Written
from asgi_resync.cache.l2.ports import Link, Near
from asgi_resync.cache.tags import PurgeLedger
from asgi_resync.events import CacheKey


class SlowJournal:
    """Each write takes a turn of the loop, in which *meanwhile* is called."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile
        self.writes = 0

    async def write(self, seen: int, **purges: object) -> Written:
        self.writes += 1
        self.meanwhile()
        await asyncio.sleep(0)
        return Written(
            is_other=False, previous=0, version=self.writes, changed=self.writes, members=frozenset(), lapsed=0
        )


async def _drop(key: CacheKey, version: int) -> None:
    raise AssertionError


def courier_of(ledger: PurgeLedger, journal: SlowJournal) -> Courier:
    return Courier(
        cast(Journal, journal),
        ledger,
        Frames("channel"),
        drop=_drop,
        node="a",
        clock=lambda: NOW,
        tell=lambda event: None,
    )


async def test_who_purges_does_not_wait_for_what_is_purged_after_it() -> None:
    ledger = PurgeLedger()
    journal = SlowJournal(lambda: ledger.post([f"tag {journal.writes}"], soft=False, now=NOW))
    courier = courier_of(ledger, journal)
    ledger.post(["mine"], soft=False, now=NOW)
    async with asyncio.timeout(1.0):
        assert await courier.deliver() is not None
    assert journal.writes == 1


async def test_those_who_waited_for_a_delivery_travel_together_in_the_next() -> None:
    ledger = PurgeLedger()
    journal = SlowJournal(lambda: None)
    courier = courier_of(ledger, journal)
    tasks = []
    for number in range(20):
        ledger.post([f"tag {number}"], soft=False, now=NOW)
        tasks.append(asyncio.create_task(courier.deliver()))
        if not number:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert journal.writes == 2
    assert not len(ledger.undelivered)


async def test_a_purge_whose_delivery_ends_with_its_loop_is_queued() -> None:
    """The loop that speaks to Redis ends while another one's purge is on its way: nobody is cancelled by that."""
    begun = threading.Event()

    async def deliver() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def speak() -> None:
        plane._courier = cast(Courier, SimpleNamespace(loop=asyncio.get_running_loop(), deliver=deliver))
        plane.is_live = True
        ready.set()
        await asyncio.to_thread(begun.wait)

    ready = threading.Event()
    near = cast(Near, SimpleNamespace(drop_near=lambda keys: None))
    plane = Backplane(cast(Link, None), PurgeLedger(), near, drop=_drop, node="a")
    speaking = asyncio.create_task(asyncio.to_thread(asyncio.run, speak()))
    await asyncio.to_thread(ready.wait)

    assert "queued" == (await plane.purge(["plan"])).state
    await speaking
