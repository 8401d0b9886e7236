"""The stores that stand on Redis keep the promises of every store, on real servers; and what Redis does to a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from tests.contract.store_contract import KEY, NOW, StoreContract, facts, response
from tests.servers.cluster import Cluster
from tests.servers.linking import PATIENT
from tests.servers.server import Server

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.frames import Frames
from asgi_resync.cache.l2.messages import Replaced
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.store import Store
from asgi_resync.cache.tiered import TieredStore
from asgi_resync.events import Event, TierAnswered, WriteDropped

KEYS = ("k" * 16, "o" * 16)
NAME = Names("resync:").record(digest_of(key_bytes(KEY)))
TOMBSTONE = Names("resync:").tombstone(digest_of(key_bytes(KEY)))


def redis_store(url: str, *, signing_keys: tuple[str, ...] = ()) -> RedisStore:
    return RedisStore(url, timeout=PATIENT, jitter=0.0, signing_keys=signing_keys, clock=lambda: NOW, origin="me")


def tiered_store(url: str) -> TieredStore:
    return TieredStore(MemoryStore(max_record=2**20, clock=lambda: NOW), redis_store(url))


class RemoteContract(StoreContract):
    """What differs: the ledger forgets everything, for all processes at once."""

    async def test_clear_forgets_everything(self, store: Store) -> None:
        """`clear` raises nothing, and the store can be used after it."""
        await store.clear()
        await store.set(KEY, response())

        assert facts(await store.get(KEY)) == facts(response())


class TestRedisStore(RemoteContract):
    @pytest.fixture(params=[(), KEYS], ids=["checked", "signed"])
    async def store(self, request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Store]:
        store = redis_store(server.url, signing_keys=request.param)
        yield store
        await store.aclose()


class TestTieredStore(RemoteContract):
    @pytest.fixture
    async def store(self, server: Server) -> AsyncIterator[Store]:
        store = tiered_store(server.url)
        yield store
        await store.aclose()


class TestCluster(RemoteContract):
    @pytest.fixture
    async def store(self, cluster: Cluster) -> AsyncIterator[Store]:
        store = redis_store(cluster.url.replace("redis://", "redis+cluster://"))
        yield store
        await store.aclose()


class TestTieredCluster(RemoteContract):
    @pytest.fixture
    async def store(self, cluster: Cluster) -> AsyncIterator[Store]:
        store = tiered_store(cluster.url.replace("redis://", "redis+cluster://"))
        yield store
        await store.aclose()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


async def test_redis_forgets_a_record_after_its_last_window(server: Server, client: Redis) -> None:
    """The expiry that Redis has for it is the lifetime there and the longest window, in milliseconds."""
    record = response(lifetime=60)
    record.stale_if_error = 300
    await redis_store(server.url).set(KEY, record)

    assert 359_000 < await client.pttl(NAME) <= 360_000


async def test_a_dropped_key_takes_no_answer_that_was_under_way(server: Server, client: Redis) -> None:
    """The script that writes refuses what was asked for before the drop, to the microsecond of a real version."""
    version = 1_700_000_000_000_001
    told: list[Event] = []
    store = RedisStore(server.url, timeout=PATIENT, jitter=0.0, clock=lambda: NOW, on_event=told.append)
    early, late = response(body=b"early"), response(body=b"late")
    early.seen, late.seen = version - 1, version
    await store.set(KEY, early)
    await store.drop(KEY, version)
    await store.drop(KEY, version - 1)
    await store.set(KEY, early)
    assert await client.get(NAME) is None
    assert str(version).encode() == await client.get(TOMBSTONE)
    dropped = [event for event in told if not isinstance(event, TierAnswered)]
    assert [WriteDropped(key=KEY, reason="superseded")] == dropped

    await store.set(KEY, late)
    found = await store.get(KEY)
    assert isinstance(found, StoredResponse)
    assert b"late" == found.body


async def test_replacing_is_published(server: Server, client: Redis) -> None:
    """Who listens hears of what took the place of another, and of nothing else."""
    store = redis_store(server.url)
    async with client.pubsub() as heard:
        await heard.subscribe("resync:backplane")
        await heard.get_message(timeout=5)
        await store.set(KEY, response())
        await store.set(KEY, response(body=b"new"))
        message = await heard.get_message(ignore_subscribe_messages=True, timeout=5)
        rest = await heard.get_message(timeout=0)

    assert message is not None
    frame = Frames("resync:backplane").whole(Replaced(origin="me", key=key_bytes(KEY)))
    assert (frame, None) == (message["data"], rest)


async def test_processes_share_what_one_of_them_stored(server: Server) -> None:
    """A record that one process set behind its response is what fifty concurrent gets of another find."""
    one, other = (tiered_store(server.url) for _ in range(2))
    await one.set(KEY, response())
    await one.flush(5.0)
    found = await asyncio.gather(*(other.get(KEY) for _ in range(50)))

    assert facts(response()) == facts(found[0])
    assert {id(found[0])} == {id(record) for record in found}
    await one.aclose()
    await other.aclose()
