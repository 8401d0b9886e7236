"""Hit ratios of the memory store beside LRU, SIEVE, S3-FIFO and W-TinyLFU. Simulation only: it measures no time.

Each trace asks for 20 000 keys by Zipf's law with exponent 0.9; a cache holds 1 % or 10 % of them. The references are
written for reading, not for speed; W-TinyLFU counts exactly where real ones estimate, so it is at its best here.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Protocol, TypeAlias

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.memory import MemoryStore

from .report import Bar, Row
from .run import Bench

KEYS = 20_000
CAPACITIES = {"1 %": KEYS // 100, "10 %": KEYS // 10}
REQUESTS = 200_000

Trace: TypeAlias = list[int]


def zipf(requests: int) -> Trace:
    """Popularity that does not change."""
    weights = list(accumulate((rank + 1) ** -0.9 for rank in range(KEYS)))
    return random.Random(1).choices(range(KEYS), cum_weights=weights, k=requests)


def scans(requests: int) -> Trace:
    """After every 5000 requests somebody walks through 2500 keys that are never asked for again."""
    base, trace, fresh = zipf(requests), list[int](), KEYS
    for start in range(0, requests, 5000):
        trace += base[start : start + 5000]
        trace += range(fresh, fresh + 2500)
        fresh += 2500
    return trace


def shifting(requests: int) -> Trace:
    """After every 20 000 requests all keys swap their popularity."""
    base, names, rng = zipf(requests), list(range(KEYS)), random.Random(2)
    trace: Trace = []
    for start in range(0, requests, 20_000):
        rng.shuffle(names)
        trace += [names[rank] for rank in base[start : start + 20_000]]
    return trace


TRACES: dict[str, Callable[[int], Trace]] = {"Zipf 0.9": zipf, "scans": scans, "shifting": shifting}


class Policy(Protocol):
    def request(self, key: int) -> bool:
        """Ask for *key*, store it on a miss, and tell whether it was a hit."""


class LRU:
    """The one unused for longest goes."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.kept: OrderedDict[int, None] = OrderedDict()

    def request(self, key: int) -> bool:
        hit = key in self.kept
        self.kept[key] = None
        self.kept.move_to_end(key)
        if len(self.kept) > self.capacity:
            self.kept.popitem(last=False)
        return hit


class SIEVE:
    """A hand walks from old to new, spares the visited once, and stays where it evicted (Zhang et al., NSDI 2024)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.visited: dict[int, bool] = {}
        self.queue: list[int] = []  # Oldest first.
        self.hand = 0

    def request(self, key: int) -> bool:
        if key in self.visited:
            self.visited[key] = True
            return True
        if len(self.visited) >= self.capacity:
            self.hand %= len(self.queue)
            while self.visited[self.queue[self.hand]]:
                self.visited[self.queue[self.hand]] = False
                self.hand = (self.hand + 1) % len(self.queue)
            del self.visited[self.queue.pop(self.hand)]
        self.queue.append(key)
        self.visited[key] = False
        return False


class S3FIFO:
    """Small, main and ghost queues as in the paper's algorithm 1 (Yang et al., SOSP 2023)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.uses: dict[int, int] = {}
        self.small: OrderedDict[int, None] = OrderedDict()
        self.main: OrderedDict[int, None] = OrderedDict()
        self.ghost: OrderedDict[int, None] = OrderedDict()

    def request(self, key: int) -> bool:
        if key in self.uses:
            self.uses[key] = min(3, self.uses[key] + 1)
            return True
        while len(self.uses) >= self.capacity:
            if len(self.small) >= self.capacity / 10 or not self.main:
                self.evict_small()
            else:
                self.evict_main()
        if key in self.ghost:
            del self.ghost[key]
            self.main[key] = None
        else:
            self.small[key] = None
        self.uses[key] = 0
        return False

    def evict_small(self) -> None:
        key, _ = self.small.popitem(last=False)
        if self.uses[key] > 1:
            self.uses[key] = 0
            self.main[key] = None
            return
        del self.uses[key]
        self.ghost[key] = None
        if len(self.ghost) > self.capacity * 0.9:
            self.ghost.popitem(last=False)

    def evict_main(self) -> None:
        while True:
            key, _ = self.main.popitem(last=False)
            if self.uses[key] == 0:
                del self.uses[key]
                return
            self.uses[key] -= 1
            self.main[key] = None


class WTinyLFU:
    """An LRU window of 1 %; what leaves it must be asked for more often than main's victim (Einziger et al., 2017)."""

    def __init__(self, capacity: int) -> None:
        self.window_size = max(1, capacity // 100)
        self.main_size = capacity - self.window_size
        self.window: OrderedDict[int, None] = OrderedDict()
        self.probation: OrderedDict[int, None] = OrderedDict()
        self.protected: OrderedDict[int, None] = OrderedDict()
        self.seen: Counter[int] = Counter()
        self.sample = 0
        self.sample_size = 10 * capacity

    def request(self, key: int) -> bool:
        self.count(key)
        if key in self.window:
            self.window.move_to_end(key)
        elif key in self.protected:
            self.protected.move_to_end(key)
        elif key in self.probation:
            del self.probation[key]
            self.protected[key] = None
            if len(self.protected) > 0.8 * self.main_size:
                self.probation[self.protected.popitem(last=False)[0]] = None
        else:
            self.window[key] = None
            if len(self.window) > self.window_size:
                self.admit(self.window.popitem(last=False)[0])
            return False
        return True

    def admit(self, candidate: int) -> None:
        if len(self.probation) + len(self.protected) >= self.main_size:
            victim = next(iter(self.probation))
            if self.seen[candidate] <= self.seen[victim]:
                return
            del self.probation[victim]
        self.probation[candidate] = None

    def count(self, key: int) -> None:
        self.seen[key] = min(15, self.seen[key] + 1)
        self.sample += 1
        if self.sample >= self.sample_size:
            self.sample //= 2
            self.seen = Counter({key: count // 2 for key, count in self.seen.items() if count > 1})


class Ours:
    """The memory store, bound by entries or by bytes. Its keys hash the same in every run."""

    def __init__(self, capacity: int, *, shards: int, by_bytes: bool = False) -> None:
        self.record = StoredResponse(key=(), status=200, headers=[], body=b"", stored_at=0, date=0, born=0, lifetime=1)
        self.store = MemoryStore(
            shards=shards,
            max_entries=KEYS if by_bytes else capacity,
            max_bytes=self.record.size * (capacity if by_bytes else KEYS),
            max_record=self.record.size,
            clock=lambda: 0.0,
        )

    def request(self, key: int) -> bool:
        if self.store.near((key,)) is not None:
            return True
        self.store.put((key,), self.record)
        return False


REFERENCES: dict[str, Callable[[int], Policy]] = {"LRU": LRU, "SIEVE": SIEVE, "S3-FIFO": S3FIFO, "W-TinyLFU": WTinyLFU}
OURS: dict[str, Callable[[int], Policy]] = {
    "ours": lambda capacity: Ours(capacity, shards=8),
    "ours, bytes": lambda capacity: Ours(capacity, shards=8, by_bytes=True),
    "ours, 1 shard": lambda capacity: Ours(capacity, shards=1),
}


def hit_ratio(policy: Policy, trace: Trace) -> float:
    """Return the percentage of requests in *trace* that were hits."""
    return 100 * sum(map(policy.request, trace)) / len(trace)


def table(requests: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield trace and capacity, and the hit ratio of each policy."""
    for name, make_trace in TRACES.items():
        trace = make_trace(requests)
        for share, capacity in CAPACITIES.items():
            row = {label: hit_ratio(make(capacity), trace) for label, make in (REFERENCES | OURS).items()}
            yield f"{name}, {share}", row


def rows(bench: Bench) -> Iterator[Row]:
    """Yield a row for each trace, capacity and policy: the hit ratio, and how far it is from the best."""
    for where, found in table(round(REQUESTS * bench.plan.work)):
        bench.tell(f"hit ratios: {where}")
        best = max(found["S3-FIFO"], found["W-TinyLFU"])
        for name, ratio in found.items():
            bar = Bar(at_least=-1) if name in ("ours", "ours, bytes") else None
            subject = name.replace("ours", "asgi-resync").replace(", bytes", ", bound by bytes")
            yield Row(subject=subject, where=where, values=[ratio], ratios=[ratio - best], bar=bar)
