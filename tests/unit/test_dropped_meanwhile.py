"""A key is dropped while variants are under way between the tiers, or a lease; and who purges before anything else."""

from __future__ import annotations

import asyncio

from tests.contract.store_contract import NOW
from tests.unit.l2 import FakeLink
from tests.unit.test_cache_tiered import KEY, Process, settle
from tests.unit.test_turn import Desk, Shared

from asgi_resync import Cache, CacheMiddleware, CacheRule
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.store import Record
from asgi_resync.cache.tags import PurgeLedger
from asgi_resync.cache.undelivered import BATCH, Delivery
from asgi_resync.events import CacheKey
from asgi_resync.testing import ManualClock, Reply, ScriptedApp, request

VARIES = [("cache-control", "max-age=600"), ("vary", "accept-language")]


def reply(body: bytes) -> Reply:
    return Reply(body=body, headers=VARIES)


async def test_a_list_of_before_a_drop_is_refused_though_the_variant_is_of_after_it() -> None:
    link, clock = FakeLink(), ManualClock(NOW)
    first, second = Process(link, clock, reply(b"old de")), Process(link, clock, reply(b"new en"))
    third = Process(link, clock, reply(b"new de"))
    await first.get(**{"accept-language": "de"})
    await first.store.flush(1.0)
    await second.store.get(KEY)
    # The version of the drop is given and seen, the record dropped, and only then is the key told.
    second.cache.ledger.reached(5)
    await first.far.drop(KEY, 5)
    await second.get(**{"accept-language": "en"})
    await second.store.flush(1.0)
    for process in (first, second, third):
        process.cache.drop_near([KEY])
        process.cache.ledger.reached(6)
    assert (await third.get(**{"accept-language": "de"})).body == b"new de"


async def test_a_variant_that_arrives_after_its_key_was_dropped_is_not_served() -> None:
    link, clock = FakeLink(), ManualClock(NOW)
    first, second = Process(link, clock, reply(b"old de")), Process(link, clock, reply(b"en"), reply(b"new de"))
    await first.get(**{"accept-language": "de"})
    await first.store.flush(1.0)
    await second.get(**{"accept-language": "en"})
    await second.store.flush(1.0)
    link.hold = asyncio.Event()
    asking = asyncio.create_task(second.get(**{"accept-language": "de"}))
    await settle()
    del link.values[Names("resync:").record(digest_of(key_bytes(KEY)))]
    second.cache.drop_near([KEY])
    link.hold.set()
    assert (await asking).body == b"new de"


class Slow(Shared):
    """A store that is waited for once somebody has a claim."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    async def get(self, key: CacheKey) -> Record | None:
        if self.desk.held:
            await asyncio.get_running_loop().create_future()
        return await super().get(key)


async def test_a_refresh_that_is_cancelled_before_it_asks_gives_its_claim_back() -> None:
    desk, clock = Desk(), ManualClock(NOW)
    cache = Cache(Slow(desk), clock=clock)
    cache.claims = desk
    rule = CacheRule("/{rest:path}", ttl=60, stale_while_revalidate=600)
    app = CacheMiddleware(ScriptedApp(Reply(body=b"1"), Reply(body=b"2")), cache=cache, rules=[rule])
    await request(app, path="/")
    clock.advance(100)
    await request(app, path="/")
    await settle()
    assert desk.held
    await cache.settle(0.0)
    assert not desk.held


class Plane:
    """Takes purges and tells nobody."""

    async def purge(self, *args: object, **kwargs: object) -> Delivery:
        return Delivery(state="queued")


async def test_a_process_that_only_purges_is_started_too() -> None:
    cache = Cache(Shared())
    starts: list[None] = []
    cache.plane, cache.on_look = Plane(), lambda: starts.append(None)
    await cache.purge(tags=["plan"])
    assert starts


def test_what_waits_to_be_delivered_takes_no_more_batches_because_it_is_purged_again() -> None:
    ledger = PurgeLedger()
    ledger.post((f"tag {number}" for number in range(BATCH + 1)), soft=False, now=NOW)
    assert ledger.undelivered.batches == 2
    batch = ledger.undelivered.batch(ledger.version)
    ledger.post(["tag 0", "new"], soft=False, now=NOW)
    ledger.delivered(batch, 7)
    # The one that was left comes with the next, whatever was purged meanwhile.
    assert {"tag 0", f"tag {BATCH}"} <= set(ledger.undelivered.batch(ledger.version).hard)
