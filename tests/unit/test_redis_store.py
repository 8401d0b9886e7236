"""The second tier as a store: what it writes, what it believes, and what it says when Redis does not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from tests.contract.store_contract import KEY, NOW, OTHER, facts, response, variants
from tests.unit.l2 import FakeLink

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.frames import Frames
from asgi_resync.cache.l2.messages import Replaced
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.ports import Unreachable
from asgi_resync.cache.l2.store import THREADED, RedisStore
from asgi_resync.cache.store import Variants
from asgi_resync.cache.tags import PurgeLedger
from asgi_resync.events import CacheKey, Event, RecordBroken, TierAnswered, TierUnreachable, WriteDropped
from asgi_resync.testing import ManualClock

NAMES = Names("resync:")
RECORD = NAMES.record(digest_of(key_bytes(KEY)))


class World:
    """A link, a clock, and stores on them that tell into one list."""

    def __init__(self) -> None:
        self.link = FakeLink()
        self.clock = ManualClock(NOW)
        self.events: list[Event] = []
        self.ledger = PurgeLedger()

    def store(
        self,
        *,
        ttl: float = 600,
        jitter: float = 0.0,
        signing_keys: Sequence[str] = (),
        compress: bool = True,
        max_body: int = 2**20,
        prefix: str = "resync:",
    ) -> RedisStore:
        return RedisStore(
            self.link,
            prefix=prefix,
            ttl=ttl,
            jitter=jitter,
            signing_keys=signing_keys,
            compress=compress,
            max_body=max_body,
            ledger=self.ledger,
            origin="me",
            clock=self.clock,
            rng=lambda: 1.0,
            on_event=self._heard,
        )

    def _heard(self, event: Event) -> None:
        if not isinstance(event, TierAnswered):
            self.events.append(event)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_record_read_has_an_epoch_of_this_process(world: World) -> None:
    """What was purged since the app was asked concerns the copy here as well."""
    record = response()
    record.seen, record.tags = 7, ("plan",)
    store = world.store()
    await store.set(KEY, record)
    world.ledger.apply([("plan", 7), ("other", 8)], [])
    found = await store.get(KEY)
    assert isinstance(found, StoredResponse)
    assert ("good", 7) == (world.ledger.standing(found), found.seen)

    world.ledger.apply([("plan", 8)], [])
    assert "purged" == world.ledger.standing(found)
    again = await store.get(KEY)
    assert isinstance(again, StoredResponse)
    assert "purged" == world.ledger.standing(again)


async def test_lifetimes_are_capped_and_spread(world: World) -> None:
    """In Redis a response is fresh for no longer than the cap, less a share; the record set stays as it is."""
    record = response(lifetime=3600)
    record.stale_if_error = 300
    store = world.store(ttl=600, jitter=0.1)
    await store.set(KEY, record)
    found = await store.get(KEY)

    assert isinstance(found, StoredResponse)
    assert (540, 3600) == (found.lifetime, record.lifetime)
    assert 840_000 == world.link.kept[RECORD]


async def test_what_is_over_is_not_written_nor_read(world: World) -> None:
    """A record past every window costs no command, and one that Redis still has is a miss."""
    store = world.store()
    await store.set(KEY, response(lifetime=60))
    world.clock.advance(60)
    assert await store.get(KEY) is None

    world.link.values.clear()
    await store.set(KEY, response(lifetime=60))
    assert {} == world.link.values


async def test_replacing_is_told_to_the_others(world: World) -> None:
    """Only what takes the place of something is of interest to those who have that."""
    store = world.store()
    await store.set(KEY, response())
    assert [] == world.link.published

    await store.set(KEY, response(body=b"new"))
    frame = Frames("resync:backplane").whole(Replaced(origin="me", key=key_bytes(KEY)))
    assert [("resync:backplane", frame)] == world.link.published


async def test_what_was_under_way_during_a_drop_never_comes_back(world: World) -> None:
    """A write of an answer that was asked for before its key was dropped is refused, a later one is not."""
    store = world.store()
    before, after = response(body=b"before"), response(body=b"after")
    before.seen, after.seen = 9, 10
    await store.set(KEY, before)
    await store.drop(KEY, 10)
    assert await store.get(KEY) is None

    await store.set(KEY, before)
    assert await store.get(KEY) is None
    assert [WriteDropped(key=KEY, reason="superseded")] == world.events

    await store.set(KEY, after)
    assert await store.get(KEY) is not None


async def test_an_older_drop_changes_no_tombstone(world: World) -> None:
    """Drops that are delivered out of order leave the newest."""
    store = world.store()
    await store.drop(KEY, 10)
    await store.drop(KEY, 9)
    record = response()
    record.seen = 9
    await store.set(KEY, record)

    assert await store.get(KEY) is None


async def test_what_was_dropped_here_is_not_read_before_redis_knows(world: World) -> None:
    """A drop that could not be delivered yet holds here, also for a read that was under way."""
    store = world.store()
    await store.set(KEY, response())
    world.ledger.post_keys([KEY], now=NOW)
    assert await store.get(KEY) is None
    assert 0 == world.link.gets

    world.ledger.delivered(world.ledger.undelivered.batch(world.ledger.version), 1)
    world.link.hold = asyncio.Event()
    reading = asyncio.ensure_future(store.get(KEY))
    await asyncio.sleep(0)
    world.ledger.post_keys([KEY], now=NOW)
    world.link.hold.set()
    assert await reading is None


async def test_an_unreachable_redis_is_a_miss_and_an_event(world: World) -> None:
    """Nothing is raised but by `read` and `drop`, whose callers asked for that."""
    store = world.store()
    world.link.failure = "TimeoutError"
    await store.set(KEY, response())
    await store.delete(KEY)
    assert await store.get(KEY) is None
    with pytest.raises(Unreachable):
        await store.read(KEY)
    with pytest.raises(Unreachable):
        await store.drop(KEY, 1)

    operations = ["set", "delete", "get", "get"]
    assert [TierUnreachable(operation=name, cause="TimeoutError") for name in operations] == world.events


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"", "unsealed"), (b"\x01damaged", "damaged"), (b"\x80\x04.", "unsealed"), (b"x" * (THREADED + 1), "unsealed")],
)
async def test_broken_values_are_misses_and_one_event(world: World, value: bytes, reason: str) -> None:
    """Whatever stands in Redis, one event says why it was not used."""
    world.link.values[RECORD] = value

    assert await world.store().get(KEY) is None
    assert [RecordBroken(key=KEY, reason=reason)] == world.events


async def test_a_moved_value_is_not_served(world: World) -> None:
    """With or without signatures, what stands under another name is broken."""
    for keys in ((), ("k" * 16,)):
        store = world.store(signing_keys=keys)
        await store.set(OTHER, response(OTHER))
        world.link.values[RECORD] = world.link.values[NAMES.record(digest_of(key_bytes(OTHER)))]
        assert await store.get(KEY) is None

    assert ["damaged", "wrong signature"] == [e.reason for e in world.events if isinstance(e, RecordBroken)]


async def test_what_nobody_signed_is_not_served(world: World) -> None:
    """With keys, write access to Redis is not write access to pages."""
    await world.store().set(KEY, response())

    assert await world.store(signing_keys=["k" * 16]).get(KEY) is None
    assert [RecordBroken(key=KEY, reason="unsigned")] == world.events


@pytest.mark.parametrize("size", [100_000, THREADED + 1])
async def test_large_bodies_are_packed_where_that_pays(world: World, size: int) -> None:
    """A text shrinks in Redis and comes back whole, also by way of a thread; unless packing is off."""
    record = response(body=b"a" * size)
    for compress in (True, False):
        store = world.store(compress=compress)
        await store.set(KEY, record)
        assert compress == (len(world.link.values[RECORD]) < 2_000)
        assert facts(record) == {**facts(await store.get(KEY)), "epoch": 0}


async def test_what_is_too_large_is_neither_written_nor_read(world: World) -> None:
    """One process with a higher cap does not fill the memory of another."""
    record = response(body=b"12345")
    await world.store(max_body=4).set(KEY, record)
    assert {} == world.link.values
    assert [WriteDropped(key=KEY, reason="too-large")] == world.events

    await world.store(max_body=5).set(KEY, record)
    assert await world.store(max_body=4).get(KEY) is None
    assert RecordBroken(key=KEY, reason="senseless") == world.events[-1]


async def test_headers_that_are_too_large_are_not_written(world: World) -> None:
    """The cap is one of the whole value."""
    record = response()
    record.headers = [(b"x", b"y" * 200_000)]
    await world.store(max_body=10).set(KEY, record)

    assert [WriteDropped(key=KEY, reason="too-large")] == world.events


async def test_what_cannot_be_written_is_told(world: World) -> None:
    """A key or tag that has no bytes of its own is a miss, and kept by memory alone."""
    store = world.store()
    odd: CacheKey = ("k", frozenset({1}))
    await store.set(odd, response(odd))
    await store.delete(odd)
    await store.drop(odd, 1)
    assert await store.get(odd) is None

    record = response()
    record.tags = ("\ud800",)
    await store.set(KEY, record)
    assert {} == world.link.values
    assert [WriteDropped(key=key, reason="unwritable") for key in (odd, KEY)] == world.events


async def test_prefixes_do_not_meet(world: World) -> None:
    """Two apps on one Redis have a cache each."""
    await world.store(prefix="a:").set(KEY, variants())

    assert await world.store(prefix="b:").get(KEY) is None
    assert await world.store(prefix="a:").get(KEY) is not None


async def test_large_values_do_not_wait_for_the_threads_of_the_app(world: World) -> None:
    """The default executor may be full of an app's slow calls; what is read from Redis has threads of its own."""
    store = world.store()
    await store.set(KEY, response(body=bytes(300_000)))
    gate = threading.Event()
    loop = asyncio.get_running_loop()
    busy = [loop.run_in_executor(None, gate.wait) for _ in range(64)]
    try:
        async with asyncio.timeout(20):
            record = await store.get(KEY)
    finally:
        gate.set()
        await asyncio.gather(*busy)
    await store.aclose()

    assert isinstance(record, StoredResponse)
    assert bytes(300_000) == record.body


async def test_an_index_of_many_lists_is_refused(world: World) -> None:
    """Each list of names costs a request a look, and whoever can write to Redis could write thousands."""
    store = world.store()
    names = tuple((b"x-%d" % number,) for number in range(100))
    await store.set(KEY, Variants(key=KEY, generation="g", names=names, listed=(), keep_until=NOW + 60))

    assert await store.get(KEY) is None
