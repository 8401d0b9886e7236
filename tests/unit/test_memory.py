"""The memory store: its bounds, its sweeps and what it tells."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import TypedDict, Unpack

import pytest
from tests.contract.store_contract import KEY, NOW, OTHER, response

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.memory import FEWEST, LARGEST, PUTS_PER_SWEEP, MemoryStore
from asgi_resync.cache.store import Store
from asgi_resync.events import Event, Evicted, NotStored

SIZE = response().size


class Bounds(TypedDict, total=False):
    """What a store is bounded by."""

    shards: int
    max_entries: int
    max_bytes: int
    max_record: int


def store_of(events: list[Event] | None = None, **bounds: Unpack[Bounds]) -> MemoryStore:
    """Return a store of as many shards as it is told, whatever its size, that tells *events*."""
    bounds.setdefault("max_record", 1)
    return MemoryStore(**bounds, clock=lambda: NOW, on_event=None if events is None else events.append)


def test_it_is_a_store() -> None:
    """It fits the port, and says that it is near."""
    store: Store = MemoryStore()

    assert not store.is_remote


@pytest.mark.parametrize(
    ("bounds", "shards"),
    [
        ({}, 8),
        ({"max_bytes": 8 * LARGEST}, 8),
        ({"max_bytes": 10 * 2**20}, 2),
        ({"max_bytes": 0}, 1),
        ({"max_bytes": 8 * LARGEST, "max_entries": 3 * FEWEST}, 3),
        ({"max_entries": 1}, 1),
        ({"max_entries": 0}, 1),
        ({"shards": 2}, 2),
        ({"shards": 16, "max_record": 2**20}, 16),
    ],
)
def test_small_bounds_make_fewer_shards(bounds: Bounds, shards: int) -> None:
    """A shard holds the largest record that is to fit, and enough entries to choose from."""

    assert MemoryStore(**bounds).stats().shards == shards


@pytest.mark.parametrize("bounds", [{"shards": 0}, {"max_entries": -1}, {"max_bytes": -1}, {"max_record": 0}])
def test_bounds_that_cannot_be_are_refused(bounds: Bounds) -> None:
    """The message names the argument and its value."""
    ((name, value),) = bounds.items()

    with pytest.raises(ValueError, match=f"{name}={value}"):
        MemoryStore(**bounds)


def test_the_shards_add_up_to_the_bounds() -> None:
    """Nothing is lost to rounding, and nothing gained."""
    stats = store_of(shards=7, max_entries=1000, max_bytes=10**6 + 3).stats()

    assert (stats.max_entries, stats.max_bytes) == (1000, 10**6 + 3)


def test_the_default_store_keeps_the_largest_body() -> None:
    """A body of 4 MiB, the default cap of the cache, fits beside its headers and key."""
    store = MemoryStore(clock=lambda: NOW)
    store.put(KEY, response(body=bytes(4 * 2**20)))

    assert store.near(KEY) is not None


def test_the_bounds_hold_under_a_flood() -> None:
    """Whichever bound is met first: entries or bytes."""
    for store in (store_of(max_entries=100), store_of(max_entries=10**6, max_bytes=100 * SIZE)):
        for number in range(1000):
            store.put((*KEY, number), response((*KEY, number)))
        stats = store.stats()

        assert stats.entries <= min(100, stats.max_entries)
        assert stats.bytes <= stats.max_bytes
        assert stats.evictions == 1000 - stats.entries
        assert stats.ghosts <= stats.entries


def test_a_record_that_is_too_large_is_told_and_not_kept() -> None:
    """The event names the key; what stood there is gone, and nothing else."""
    events: list[Event] = []
    store = store_of(events, shards=1, max_bytes=10 * SIZE)
    store.put(KEY, response())
    store.put(OTHER, response(OTHER))
    store.put(KEY, response(body=bytes(10 * SIZE)))

    assert events == [NotStored(key=KEY, reason="too-large")]
    assert store.near(KEY) is None
    assert store.near(OTHER) is not None
    assert store.stats().refusals == 1


def test_evictions_are_told_once_per_put() -> None:
    """A large record that displaces several tells their number, not each of them."""
    events: list[Event] = []
    store = store_of(events, shards=1, max_bytes=10 * SIZE)
    for number in range(9):
        store.put((number,), response((number,)))
    before = store.stats().entries
    store.put(KEY, response(body=bytes(5 * SIZE)))

    assert events == [Evicted(count=before + 1 - store.stats().entries, reason="size")]


def test_near_returns_what_has_expired_until_it_is_swept() -> None:
    """The caller decides by time; a sweep forgets and tells how many."""
    events: list[Event] = []
    store = store_of(events)
    store.put(KEY, response(lifetime=5.0))
    store.put(OTHER, response(OTHER, lifetime=6.0))
    assert store.sweep(NOW + 5) == 1
    assert store.near(KEY) is None
    assert store.near(OTHER) is not None
    assert store.sweep(NOW + 5) == 0

    assert events == [Evicted(count=1, reason="expired")]
    assert store.stats().expirations == 1


def test_a_sweep_without_a_listener_tells_nobody() -> None:
    """It still forgets."""
    store = store_of()
    store.put(KEY, response(lifetime=0.0))

    assert store.sweep(NOW) == 1


def test_a_sweep_keeps_to_its_budget() -> None:
    """However much has expired, one step forgets no more than it may look at."""
    store = store_of(shards=8)
    for number in range(500):
        store.put((number,), response((number,), lifetime=1.0))

    assert store.sweep(NOW + 1, 100) <= 100
    assert store.stats().entries >= 400


def test_small_sweeps_reach_every_shard_in_turn() -> None:
    """A budget smaller than the number of shards favours none of them."""
    store = store_of(shards=8)
    for number in range(40):
        store.put((number,), response((number,), lifetime=1.0))
    steps = [store.sweep(NOW + 1, 3) for _ in range(200)]

    assert max(steps) <= 3
    assert sum(steps) == 40


def test_the_expired_leave_though_nobody_sweeps() -> None:
    """Puts sweep a little each, and tell it."""
    events: list[Event] = []
    moment = [NOW]
    store = MemoryStore(shards=1, clock=lambda: moment[0], on_event=events.append)
    for number in range(100):
        store.put((number,), response((number,), lifetime=1.0))
    moment[0] += 1
    for number in range(100, 300 + PUTS_PER_SWEEP):
        store.put((number,), response((number,)))

    assert store.stats().expirations == 100
    assert {event.reason for event in events if isinstance(event, Evicted)} == {"expired"}


def test_a_listener_that_raises_harms_nobody() -> None:
    """The put is done all the same."""

    def listener(event: Event) -> None:
        raise RuntimeError("listener")

    store = MemoryStore(shards=1, max_entries=1, clock=lambda: NOW, on_event=listener)
    store.put(KEY, response())
    store.put(OTHER, response(OTHER))

    assert store.near(OTHER) is not None


async def test_it_can_be_used_again_after_it_was_closed() -> None:
    """Closing lets go of what it holds and of nothing else: an app may be started twice."""
    store = store_of()
    store.put(KEY, response())
    await store.aclose()
    assert store.stats().entries == store.stats().bytes == store.stats().ghosts == 0

    store.put(KEY, response())
    assert store.near(KEY) is not None


def test_forgotten_records_are_freed_at_once() -> None:
    """Memory does not wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        store = store_of(shards=2, max_entries=40)
        for number in range(200):
            store.put((number,), response((number,)))
        store.sweep(NOW + 60, 1000)
        left = [found for found in gc.get_objects() if isinstance(found, StoredResponse) and found.key == (199,)]
    finally:
        gc.enable()

    assert left == []


def test_a_smaller_memory_loses_no_more_than_it_must_and_in_steps() -> None:
    """Nobody waits while it shrinks: each step looks at so many records, and what fits is found all the while."""
    told: list[Event] = []
    store = MemoryStore(
        shards=4, max_entries=400, max_bytes=2**20, max_record=2**10, clock=lambda: NOW, on_event=told.append
    )
    for number in range(400):
        store.put((*KEY, number), response((*KEY, number)))
    store.resize(shards=2, max_entries=100, max_bytes=2**20, max_record=2**10)
    steps = [store.stats().entries]
    while store.settle(50):
        steps.append(store.stats().entries)

    stats = store.stats()
    assert (stats.shards, stats.entries, stats.max_entries) == (2, 100, 100)
    assert all(before - after <= 50 for before, after in pairwise(steps))
    assert 300 == stats.evictions == sum(event.count for event in told if isinstance(event, Evicted))


def test_a_resize_that_changes_nothing_moves_nothing() -> None:
    """Settings that are read again cost nothing where they are the same."""
    store = MemoryStore(shards=4, max_entries=400, clock=lambda: NOW)
    store.put(KEY, response())
    store.resize(shards=4, max_entries=400, max_bytes=64 * 2**20, max_record=4 * 2**20)

    assert store.settle() is False


def test_what_is_put_or_dropped_during_a_resize_stays_so() -> None:
    """A record that waits to move neither comes back nor stands in for a later one."""
    store = MemoryStore(shards=2, max_entries=100, max_bytes=2**20, max_record=2**10, clock=lambda: NOW)
    for number in range(64):
        store.put((*KEY, number), response((*KEY, number)))
    store.resize(shards=3, max_entries=300, max_bytes=2**20, max_record=2**10)
    later = response((*KEY, 1), body=b"later")
    store.drop((*KEY, 0))
    store.put((*KEY, 1), later)
    store.resize(shards=1, max_entries=300, max_bytes=2**20, max_record=2**10)
    while store.settle(7):
        pass

    assert store.near((*KEY, 0)) is None
    assert store.near((*KEY, 1)) is later
    assert 63 == store.stats().entries
