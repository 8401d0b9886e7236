"""A cache over two tiers: what is asked for, stored and dropped while Redis takes its time."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.store_contract import NOW
from tests.unit.l2 import FakeLink

from asgi_resync.cache.cache import Cache
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.keys import key_of_url
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.middleware import CacheMiddleware
from asgi_resync.cache.store import Record, Variants
from asgi_resync.cache.tiered import TieredStore
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

KEY = key_of_url("http://testserver/plan")
MAX_AGE = ("cache-control", "max-age=60")


class Process:
    """One process of several on one Redis: its cache, its app, and the middleware between."""

    def __init__(self, link: FakeLink, clock: ManualClock, *script: Reply) -> None:
        memory = MemoryStore(clock=clock)
        self.app = ScriptedApp(*script)
        self.far = RedisStore(link, jitter=0.0, clock=clock)
        self.store = TieredStore(memory, self.far, monotonic=clock)
        self.cache = Cache(self.store, clock=clock)
        self.far._ledger = self.cache.ledger
        self.middleware = CacheMiddleware(self.app, cache=self.cache)

    async def get(self, **headers: str) -> Response:
        """GET /plan."""
        return await request(self.middleware, path="/plan", headers=headers)


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


async def settle() -> None:
    """Let what can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def of_variants(record: Record | None) -> Variants:
    assert isinstance(record, Variants)
    return record


async def test_one_process_answers_with_what_another_was_told(link: FakeLink, clock: ManualClock) -> None:
    """The second process asks Redis and not its app, the third time not even Redis; and the tiers are named."""
    one = Process(link, clock, Reply(headers=[MAX_AGE], body=b"plan"))
    other = Process(link, clock, Reply(status=500))
    await one.get()
    await one.store.flush(1.0)
    responses = [await other.get(), await other.get()]

    assert [b"plan", b"plan"] == [response.body for response in responses]
    assert ["l2", "l1"] == [(response.header("cache-status") or "").rpartition("detail=")[2] for response in responses]
    assert 0 == other.app.calls


async def test_what_is_stored_carries_what_was_seen_when_the_app_was_asked(link: FakeLink, clock: ManualClock) -> None:
    """Purges of other processes that are heard while the app answers concern its answer."""
    hold = asyncio.Event()
    process = Process(link, clock, Reply(headers=[MAX_AGE, ("vary", "accept")], body=b"plan", hold=hold))
    process.cache.ledger.reached(7)
    asking = asyncio.ensure_future(process.get())
    await process.app.until_called()
    process.cache.ledger.reached(9)
    hold.set()
    await asking
    index = of_variants(process.store.near(KEY))
    entry = process.store.near(index.listed[0])

    assert isinstance(entry, StoredResponse)
    assert (7, 7) == (index.seen, entry.seen)


async def test_a_drop_while_redis_is_asked_where_to_store_is_not_undone(link: FakeLink, clock: ManualClock) -> None:
    """An answer is not kept if its key is dropped in the midst of storing it, where Redis is asked for variants."""
    process = Process(link, clock, Reply(headers=[MAX_AGE, ("vary", "accept")]))
    looked = asyncio.Event()
    original = process.cache.fetch

    async def fetch(key: tuple[object, ...]) -> Record | None:
        record = await original(key)
        if process.app.calls and not looked.is_set():
            looked.set()
            await process.cache.drop(key)
        return record

    process.cache.fetch = fetch  # type: ignore[method-assign]  # the drop must come in the midst of it
    await process.get()
    await process.store.flush(1.0)

    assert looked.is_set()
    assert process.store.near(KEY) is None
    assert {} == link.values


async def test_variants_stored_at_once_are_all_found(link: FakeLink, clock: ManualClock) -> None:
    """Two variants that are stored while Redis is asked for others do not hide each other."""
    hold = asyncio.Event()
    process = Process(link, clock, Reply(headers=[MAX_AGE, ("vary", "accept")], hold=hold))
    asking = [asyncio.ensure_future(process.get(accept=kind, authorization="")) for kind in ("a", "b")]
    asking = [*asking, *(asyncio.ensure_future(process.get(accept=kind)) for kind in ("c", "d"))]
    await process.app.until_called()
    hold.set()
    await asyncio.gather(*asking)
    listed = of_variants(process.store.near(KEY)).listed
    calls = process.app.calls
    for kind in ("c", "d"):
        await process.get(accept=kind)

    assert calls == process.app.calls
    assert {key[5] for key in listed} == {listed[0][5]}


async def test_a_dropped_key_leaves_redis_too(link: FakeLink, clock: ManualClock) -> None:
    """After a POST no process finds what was stored before it."""
    one = Process(link, clock, Reply(headers=[MAX_AGE], body=b"old"), Reply(), Reply(headers=[MAX_AGE], body=b"new"))
    other = Process(link, clock, Reply(headers=[MAX_AGE], body=b"new"))
    await one.get()
    await one.store.flush(1.0)
    await request(one.middleware, "POST", "/plan")

    assert b"new" == (await other.get()).body
    assert b"new" == (await one.get()).body
