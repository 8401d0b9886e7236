"""Nanoseconds per operation of the memory store, and what shards do to them.

    python -m tests.benchmarks.memory_store

Trust the ratios, not the absolutes: the line "a function around dict.get" is the floor that this machine allows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.benchmarks.flood import record

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.events import CacheKey

ENTRIES = 5000
ROUNDS = 15


def best(work: Callable[[], object], operations: int) -> float:
    """Return nanoseconds per operation of the fastest of `ROUNDS` rounds."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest / operations * 1e9


def reads(read: Callable[[CacheKey], object], keys: list[CacheKey]) -> float:
    def work() -> None:
        for key in keys:
            read(key)

    return best(work, len(keys))


def puts(store: MemoryStore, records: list[tuple[CacheKey, StoredResponse]]) -> float:
    def work() -> None:
        for key, kept in records:
            store.put(key, kept)

    return best(work, len(records))


def threaded_puts(store: MemoryStore, parts: list[list[tuple[CacheKey, StoredResponse]]]) -> float:
    def write(part: list[tuple[CacheKey, StoredResponse]]) -> None:
        for key, kept in part:
            store.put(key, kept)

    def work() -> None:
        threads = [threading.Thread(target=write, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return best(work, sum(map(len, parts)))


def main() -> None:
    records = [record(number, 200) for number in range(3 * ENTRIES)]
    resident, flood = records[: ENTRIES // 2], records
    plain = dict(resident)
    keys, absent = [key for key, _ in resident], [key for key, _ in records[ENTRIES:]]

    def floor(key: CacheKey) -> object:
        return plain.get(key)

    parts: list[dict[CacheKey, StoredResponse]] = [{} for _ in range(8)]
    for key, kept in resident:
        parts[hash(key) % 8][key] = kept

    def sharded_floor(key: CacheKey) -> object:
        return parts[hash(key) % 8].get(key)

    print(f"{'a function around dict.get':42}{reads(floor, keys):8.0f} ns")
    print(f"{'the same, finding one of 8 dicts first':42}{reads(sharded_floor, keys):8.0f} ns")
    for shards in (1, 8):
        store = MemoryStore(shards=shards, max_entries=ENTRIES, max_bytes=10**9, clock=lambda: 0.0)
        for key, kept in resident:
            store.put(key, kept)
        name = f"{shards} shard{'s' * (shards > 1)}"
        print(f"{f'near, hit, {name}':42}{reads(store.near, keys):8.0f} ns")
        print(f"{f'near, miss, {name}':42}{reads(store.near, absent):8.0f} ns")
        print(f"{f'put over itself, {name}':42}{puts(store, resident):8.0f} ns")
        print(f"{f'put while evicting, {name}':42}{puts(store, flood):8.0f} ns")
        quarters = [flood[part::4] for part in range(4)]
        print(f"{f'put while evicting, 4 threads, {name}':42}{threaded_puts(store, quarters):8.0f} ns")


if __name__ == "__main__":
    main()
