"""Two tiers as one: memory answers, Redis is read once and written behind, and nothing old comes back."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.store_contract import KEY, NOW, OTHER, response
from tests.unit.l2 import FakeLink

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.store import Record
from asgi_resync.cache.tiered import TieredStore
from asgi_resync.events import CacheKey, Event, InternalFailure, TierUnreachable, WriteDropped
from asgi_resync.testing import ManualClock

NAMES = Names("resync:")


def name_of(key: CacheKey) -> str:
    return NAMES.record(digest_of(key_bytes(key)))


def body_of(record: Record | None) -> bytes | None:
    assert record is None or isinstance(record, StoredResponse)
    return record.body if record is not None else None


class World:
    """One Redis, and processes that share it."""

    def __init__(self) -> None:
        self.link = FakeLink()
        self.clock = ManualClock(NOW)
        self.events: list[Event] = []

    def process(
        self, *, near_ttl: float = 60.0, queue_records: int = 100, queue_bytes: int = 2**20, max_bytes: int = 2**20
    ) -> TieredStore:
        def clock() -> float:
            return self.clock()

        memory = MemoryStore(shards=1, max_bytes=max_bytes, max_record=2**16, clock=clock)
        far = RedisStore(self.link, jitter=0.0, clock=clock, on_event=self.events.append)
        return TieredStore(
            memory,
            far,
            near_ttl=near_ttl,
            queue_records=queue_records,
            queue_bytes=queue_bytes,
            drain_timeout=0.05,
            monotonic=clock,
            on_event=self.events.append,
        )


@pytest.fixture
def world() -> World:
    return World()


async def settle() -> None:
    """Let what can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_near_is_the_method_of_memory_itself(world: World) -> None:
    """A hit in memory costs what it costs without a second tier."""
    store = world.process()

    assert store.near == store.memory.near
    assert store.is_remote


async def test_what_one_process_sets_another_gets(world: World) -> None:
    """A record goes to Redis behind the call, is read from there once, and then is in memory."""
    one, other = world.process(), world.process()
    await one.set(KEY, response())
    assert one.near(KEY) is not None
    assert {} == world.link.values

    await one.flush(1.0)
    found = await other.get(KEY)
    assert b"ok" == body_of(found)
    assert other.near(KEY) is found
    assert await other.get(KEY) is found
    assert 1 == world.link.gets


async def test_gets_of_one_key_share_one_read(world: World) -> None:
    """A hundred requests at once for a key that is in Redis read it once."""
    one, other = world.process(), world.process()
    await one.set(KEY, response())
    await one.flush(1.0)
    found = await asyncio.gather(*(other.get(KEY) for _ in range(100)))

    assert 1 == world.link.gets
    assert {id(found[0])} == {id(record) for record in found}


async def test_a_cancelled_reader_harms_nobody_else(world: World) -> None:
    """Whether the one that reads is cancelled or one that waits, the others have their answer."""
    one, other = world.process(), world.process()
    await one.set(KEY, response())
    await one.flush(1.0)
    world.link.hold = asyncio.Event()
    reads = [asyncio.ensure_future(other.get(KEY)) for _ in range(4)]
    await settle()
    reads[0].cancel()
    reads[2].cancel()
    await settle()
    world.link.hold.set()
    found = await asyncio.gather(*reads, return_exceptions=True)

    assert [b"ok", b"ok"] == [body_of(record) for record in found if not isinstance(record, BaseException)]
    assert 2 == world.link.gets


@pytest.mark.parametrize("act", ["delete", "forget", "clear"])
async def test_a_read_under_way_brings_nothing_dropped_back(world: World, act: str) -> None:
    """What was read before a drop and arrives after it is neither kept nor returned, to any who wait."""
    one, other = world.process(), world.process()
    await one.set(KEY, response(body=b"old"))
    await one.flush(1.0)
    world.link.hold = asyncio.Event()
    reads = [asyncio.ensure_future(other.get(KEY)) for _ in range(3)]
    await settle()
    if act == "forget":
        other.forget(KEY)
        dropping = None
    else:
        dropping = asyncio.ensure_future(other.delete(KEY) if act == "delete" else other.clear())
    await settle()
    world.link.hold.set()

    assert [None, None, None] == await asyncio.gather(*reads)
    assert other.near(KEY) is None
    if dropping is not None:
        await dropping


async def test_a_read_under_way_does_not_replace_what_was_set(world: World) -> None:
    """Who waits for Redis gets what was set meanwhile."""
    one, other = world.process(), world.process()
    await one.set(KEY, response(body=b"old"))
    await one.flush(1.0)
    world.link.hold = asyncio.Event()
    reads = [asyncio.ensure_future(other.get(KEY)) for _ in range(2)]
    await settle()
    await other.set(KEY, response(body=b"new"))
    world.link.hold.set()

    assert [b"new", b"new"] == [body_of(record) for record in await asyncio.gather(*reads)]
    assert b"new" == body_of(other.near(KEY))


async def test_the_newest_of_a_key_is_written_and_never_two_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a record is being written the next ones wait, and only the last of them goes out."""
    store = world.process()
    world.link.hold = asyncio.Event()
    await store.set(KEY, response(body=b"first"))
    await settle()
    for body in (b"second", b"third"):
        await store.set(KEY, response(body=body))
        await settle()
    written: list[bytes | None] = []
    script = world.link.script

    async def noting(*arguments: object) -> object:
        outcome = await script(*arguments)  # type: ignore[arg-type]  # passed on as they came
        written.append(body_of(await RedisStore(world.link, clock=lambda: NOW).get(KEY)))
        return outcome

    monkeypatch.setattr(world.link, "script", noting)
    world.link.hold.set()
    await store.flush(1.0)

    assert [b"third"] == written


async def test_a_full_queue_drops_and_tells(world: World) -> None:
    """When Redis does not keep up, records stay in memory alone; the queue is bounded in number and weight."""
    world.link.hold = asyncio.Event()
    for store in (world.process(queue_records=2), world.process(queue_bytes=4_000)):
        keys: list[CacheKey] = [("k", number) for number in range(8)]
        for key in keys:
            await store.set(key, response(key))
        assert all(store.near(key) is not None for key in keys)

        assert [WriteDropped(key=key, reason="queue-full") for key in keys[2:]] == world.events
        world.events.clear()


async def test_a_delete_takes_back_what_waits_and_what_is_being_written(world: World) -> None:
    """Neither a queued write nor one on its way outlives the delete of its key."""
    store = world.process()
    world.link.hold = asyncio.Event()
    await store.set(KEY, response())
    await settle()
    await store.set(OTHER, response(OTHER))
    dropping = [asyncio.ensure_future(store.delete(key)) for key in (KEY, OTHER)]
    await settle()
    world.link.hold.set()
    await asyncio.gather(*dropping)
    await store.flush(1.0)

    assert {} == world.link.values
    assert await store.get(KEY) is None


async def test_what_has_no_room_in_memory_can_be_had_while_it_waits(world: World) -> None:
    """A record larger than memory takes is returned from the queue until it is written, or replaced by others."""
    store = world.process(max_bytes=3_000)
    world.link.hold = asyncio.Event()
    await store.set(KEY, response(body=b"x" * 5_000))
    assert store.near(KEY) is None
    assert b"x" * 5_000 == body_of(await store.get(KEY))

    await settle()
    assert b"x" * 5_000 == body_of(await store.get(KEY))
    store.forget(KEY)
    world.link.hold.set()
    await store.flush(1.0)
    assert 0 == world.link.gets


async def test_records_leave_memory_after_their_time_there(world: World) -> None:
    """After near_ttl a record is read from Redis again, so what others wrote there is seen without any message."""
    one, other = world.process(near_ttl=10), world.process()
    await one.set(KEY, response(body=b"old"))
    await one.flush(1.0)
    await other.set(KEY, response(body=b"new"))
    await other.flush(1.0)
    world.clock.advance(9)
    one.lapse()
    assert b"old" == body_of(one.near(KEY))

    world.clock.advance(1)
    one.lapse()
    assert one.near(KEY) is None
    assert b"new" == body_of(await one.get(KEY))
    assert b"new" == body_of(one.near(KEY))


async def test_records_leave_memory_by_themselves(world: World) -> None:
    """A timer of the loop does it, and stops at the end."""
    store = world.process(near_ttl=0.0)
    await store.set(KEY, response())
    for _ in range(50):
        await asyncio.sleep(0.001)
        if store.near(KEY) is None:
            break

    assert store.near(KEY) is None
    await store.aclose()


async def test_without_redis_memory_goes_on(world: World) -> None:
    """When its time is over and Redis cannot be reached, the record in memory is used on, for as long again."""
    store = world.process(near_ttl=10)
    await store.set(KEY, response())
    await store.flush(1.0)
    world.link.failure = "open"
    for _ in range(3):
        world.clock.advance(10)
        store.lapse()
        assert store.near(KEY) is None
        assert b"ok" == body_of(await store.get(KEY))
        assert store.near(KEY) is not None

    world.link.failure = None
    world.link.values.clear()
    world.clock.advance(10)
    store.lapse()
    assert await store.get(KEY) is None
    world.link.failure = "open"
    assert await store.get(KEY) is None


@pytest.mark.parametrize("act", ["delete", "forget", "clear"])
async def test_what_was_dropped_is_not_used_on(world: World, act: str) -> None:
    """A record that left memory for its time is dropped with the others."""
    store = world.process(near_ttl=10)
    await store.set(KEY, response())
    await store.flush(1.0)
    world.clock.advance(10)
    store.lapse()
    world.link.failure = "open"
    if act == "forget":
        store.forget(KEY)
    else:
        await (store.delete(KEY) if act == "delete" else store.clear())

    assert await store.get(KEY) is None


async def test_an_unreachable_redis_costs_events_only(world: World) -> None:
    """Sets, gets and deletes go on without it."""
    store = world.process()
    world.link.failure = "ConnectionError"
    await store.set(KEY, response())
    await store.flush(1.0)
    assert b"ok" == body_of(await store.get(KEY))
    await store.delete(KEY)
    assert await store.get(KEY) is None

    operations = [event.operation for event in world.events if isinstance(event, TierUnreachable)]
    assert ["set", "delete", "get"] == operations


async def test_stale_records_come_back_after_a_restart(world: World) -> None:
    """A new process finds what is stale and may still be served, with its windows."""
    record = response(lifetime=60)
    record.stale_if_error = 300
    record.keep_until = NOW + 360
    one = world.process()
    await one.set(KEY, record)
    await one.aclose()
    world.clock.advance(100)
    found = await world.process().get(KEY)

    assert isinstance(found, StoredResponse)
    assert (NOW + 60, 300) == (found.fresh_until, found.stale_if_error)


async def test_closing_writes_what_waits(world: World) -> None:
    """The queue is written before the connections close, and again when closed again there is nothing to do."""
    store = world.process()
    for number in range(20):
        await store.set(("k", number), response(("k", number)))
    await store.aclose()
    await store.aclose()

    assert 20 == len(world.link.values)


async def test_written_waits_for_one_key(world: World) -> None:
    """Who must know that a record reached Redis waits for that one, as often as it is set; or hears it never will."""
    store = world.process()
    await store.written(KEY)
    world.link.hold = asyncio.Event()
    await store.set(KEY, response(body=b"first"))
    await settle()
    await store.set(KEY, response(body=b"second"))
    waiting = [asyncio.ensure_future(store.written(KEY)) for _ in range(3)]
    await settle()
    waiting[0].cancel()
    assert [False, False] == [task.done() for task in waiting[1:]]
    world.link.hold.set()
    await asyncio.gather(*waiting[1:])
    assert b"second" == body_of(await RedisStore(world.link, clock=lambda: NOW).get(KEY))

    world.link.hold.clear()
    for number in range(6):
        await store.set(("k", number), response(("k", number)))
    never = asyncio.ensure_future(store.written(("k", 5)))
    await settle()
    assert not never.done()
    store.forget(("k", 5))
    await never
    world.link.hold.set()
    await store.flush(1.0)
    assert name_of(("k", 5)) not in world.link.values


async def test_closing_waits_no_longer_than_it_may(world: World) -> None:
    """Of a Redis that does not answer, the end of the process takes no notice; what was lost is told."""
    store = world.process()
    world.link.hold = asyncio.Event()
    for number in range(6):
        await store.set(("k", number), response(("k", number)))
    await store.flush(0.001)

    told = [event.key[1] for event in world.events if isinstance(event, WriteDropped) and event.reason == "closing"]
    assert [4, 5] == told


async def test_a_write_that_raises_is_told_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the store ends no writer."""
    store = world.process()
    calls = 0

    async def failing(*_: object) -> object:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    monkeypatch.setattr(world.link, "script", failing)
    for number in range(10):
        await store.set(("k", number), response(("k", number)))
    await store.flush(1.0)

    assert 10 == calls
    assert 10 == sum(isinstance(event, InternalFailure) for event in world.events)


def test_one_store_serves_one_loop_after_another(world: World) -> None:
    """What a loop left unfinished, reads and writes, stops nothing on the next."""
    store = world.process(near_ttl=10)
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def begin() -> asyncio.Task[Record | None]:
        world.link.hold = asyncio.Event()
        await store.set(KEY, response())
        reading = asyncio.ensure_future(store.get(OTHER))
        await settle()
        return reading

    async def go_on() -> None:
        world.link.hold = None
        assert await store.get(OTHER) is None
        await store.set(KEY, response(body=b"new"))
        await store.flush(1.0)
        assert name_of(KEY) in world.link.values
        await store.aclose()

    left = one.run_until_complete(begin())
    other.run_until_complete(go_on())
    other.close()
    tasks = asyncio.all_tasks(one)
    for task in tasks:
        task.cancel()
    one.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    one.close()
    assert left.cancelled()
