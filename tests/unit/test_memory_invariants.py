"""What holds for the memory store in whatever order, and from however many threads, it is used."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.contract.store_contract import KEY, NOW, response

from asgi_resync.cache.eviction import MAX_USES
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.store import Record
from asgi_resync.events import CacheKey

SIZE = response().size


class MemoryStoreMachine(RuleBasedStateMachine):
    """Any order of puts, drops, reads, sweeps and the passing of time keeps the books true."""

    numbers = st.integers(0, 60)

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.store = MemoryStore(shards=2, max_entries=32, max_bytes=50_000, max_record=25_000, clock=lambda: self.now)
        self.latest: dict[CacheKey, Record] = {}
        """The record put last under each key that was not dropped since; any of them may have been evicted."""

    @rule(number=numbers, size=st.sampled_from([0, 0, 0, 500, 5000, 23_000, 30_000]), lifetime=st.floats(0, 100))
    def put(self, number: int, size: int, lifetime: float) -> None:
        key = (*KEY, number)
        record = response(key, body=bytes(size), lifetime=self.now - NOW + lifetime)
        self.store.put(key, record)
        self.latest[key] = record
        assert self.store.near(key) is (record if size < 25_000 else None)

    @rule(number=numbers)
    def drop(self, number: int) -> None:
        self.store.drop((*KEY, number))
        self.latest.pop((*KEY, number), None)
        assert self.store.near((*KEY, number)) is None

    @rule(number=numbers)
    def near(self, number: int) -> None:
        key = (*KEY, number)
        assert self.store.near(key) in (None, self.latest.get(key))

    @rule(budget=st.integers(0, 100))
    def sweep(self, budget: int) -> None:
        before = self.store.stats().entries
        forgotten = self.store.sweep(self.now, budget)
        assert forgotten == before - self.store.stats().entries <= budget

    @rule(seconds=st.floats(0, 50))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(shards=st.integers(1, 3))
    def resize(self, shards: int) -> None:
        before = {key: kept.record for key, kept in self.store._index.items()}
        self.store.resize(shards=shards, max_entries=16 * shards, max_bytes=25_000 * shards, max_record=25_000)
        assert before == {key: kept.record for key, kept in self.store._index.items()}

    @rule(budget=st.integers(1, 20))
    def settle(self, budget: int) -> None:
        was_leaving = sum(shard.entries for places in self.store._layout.leaving for shard, _ in places)
        is_moving = self.store.settle(budget)
        left = sum(shard.entries for places in self.store._layout.leaving for shard, _ in places)
        assert was_leaving - left <= budget
        assert is_moving or not left

    @rule()
    def sweep_all(self) -> None:
        while self.store.settle():
            pass
        self.store.sweep(self.now, 10_000)
        assert all(kept.record.keep_until > self.now for kept in self.store._index.values())

    @invariant()
    def books_are_true(self) -> None:
        check(self.store)
        for key, kept in self.store._index.items():
            assert kept.record is self.latest[key]


TestMemoryStoreMachine = MemoryStoreMachine.TestCase


def check(store: MemoryStore) -> None:
    """Assert that bounds hold, that the counts are the true ones, and that index and queues agree."""
    listed = []
    for shard, _ in store._layout.all:
        kept = list(shard)
        assert shard.entries == len(kept) <= shard.max_entries
        assert shard.bytes == sum(one.record.size for one in kept) <= shard.max_bytes
        assert shard.ghosts <= shard.entries
        listed += kept
    assert {one.key: one for one in listed} == store._index
    assert len(listed) == len(store._index)
    assert all(0 <= one.uses <= MAX_USES for one in listed)


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switching")
def test_threads_that_hammer_it_leave_it_whole() -> None:
    """Four writers and two readers at once: no error, no record under a wrong key, and true books after."""
    store = MemoryStore(shards=2, max_entries=40, max_bytes=40 * SIZE, max_record=1, clock=lambda: NOW)
    start = threading.Barrier(6)
    faults: list[object] = []
    records = [response((*KEY, number), lifetime=float(number % 3)) for number in range(100)]

    def work(turn: int) -> None:
        try:
            start.wait()
            for step in range(4000):
                record = records[(step * (turn + 7)) % 100]
                if turn < 2:
                    found = store.near(record.key)
                    if found is not None and found.key != record.key:
                        faults.append((record.key, found.key))
                elif step % 10 == 0:
                    store.drop(record.key)
                elif step % 25 == 1:
                    store.sweep(NOW, 20)
                elif step % 500 == 2:
                    store.resize(shards=1 + step % 3, max_entries=48, max_bytes=48 * SIZE, max_record=1)
                elif step % 50 == 3:
                    store.settle(5)
                else:
                    store.put(record.key, record)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    while store.settle():
        pass

    assert faults == []
    check(store)
