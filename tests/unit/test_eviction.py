"""One shard of the memory store: who stays, who goes, and that its books are true."""

from __future__ import annotations

import pytest
from tests.benchmarks.hit_ratio import CAPACITIES, S3FIFO, TRACES, Ours, WTinyLFU, hit_ratio
from tests.contract.store_contract import NOW, response

from asgi_resync.cache.eviction import MAX_REPRIEVES, MAX_USES, Ghosts, Kept, Shard
from asgi_resync.events import CacheKey

SIZE = response((0,)).size
PLENTY = 1000 * SIZE


def shard_of(entries: int, *, max_bytes: int = PLENTY) -> tuple[Shard, dict[CacheKey, Kept]]:
    index: dict[CacheKey, Kept] = {}
    return Shard(index, max_entries=entries, max_bytes=max_bytes), index


def put(shard: Shard, *numbers: int, lifetime: float = 60.0, body: bytes = b"ok") -> None:
    for number in numbers:
        shard.put((number,), response((number,), lifetime=lifetime, body=body), NOW)


def use(index: dict[CacheKey, Kept], *numbers: int, times: int = 1) -> None:
    for number in numbers:
        index[(number,)].uses = min(MAX_USES, index[(number,)].uses + times)


def kept(shard: Shard) -> list[object]:
    return [kept.key[0] for kept in shard]


def test_without_uses_the_oldest_goes_first() -> None:
    """Records that nobody asks for leave in the order in which they came."""
    shard, index = shard_of(3)
    put(shard, 1, 2, 3, 4, 5)

    assert kept(shard) == [3, 4, 5]
    assert set(index) == {(3,), (4,), (5,)}
    assert (shard.puts, shard.evictions, shard.expirations) == (5, 2, 0)


def test_a_record_that_was_used_outlives_those_that_were_not() -> None:
    """One use moves a record from small to main, where it is not the next to go."""
    shard, index = shard_of(4)
    put(shard, 1, 2, 3, 4)
    use(index, 1)
    put(shard, 5, 6, 7, 8)

    assert kept(shard) == [6, 7, 8, 1]


def test_a_key_that_comes_back_soon_after_its_eviction_enters_main() -> None:
    """A ghost is proof enough: the record survives a scan that flushes small."""
    shard, _ = shard_of(4)
    put(shard, 1, 2, 3, 4, 5)
    assert shard.ghosts == 1
    put(shard, 1)
    put(shard, *range(10, 20))

    assert 1 in kept(shard)


def test_main_takes_a_use_off_before_it_lets_go() -> None:
    """The oldest of main stays as often as it was used, then goes."""
    shard, index = shard_of(3)
    put(shard, 1, 2, 3)
    use(index, 1, 2, 3)
    put(shard, 4)  # All three enter main, and its oldest goes.
    assert kept(shard) == [4, 2, 3]

    shard.drop((4,))
    use(index, 2)
    put(shard, 5, 6)
    assert 2 in kept(shard)


def test_no_eviction_passes_over_records_without_end() -> None:
    """With everything in use, somebody goes after a bounded number of reprieves."""
    entries = 2 * MAX_REPRIEVES
    shard, index = shard_of(entries)
    put(shard, *range(entries))
    use(index, *range(entries), times=MAX_USES)
    put(shard, entries)

    assert shard.entries == entries
    assert shard.evictions == 1
    assert sum(kept.uses == MAX_USES for kept in shard) >= entries - MAX_REPRIEVES - 1


def test_an_expired_record_is_no_obstacle_however_often_it_was_used() -> None:
    """When room is needed, an expired record that comes up goes, and a live one of the same age stays."""
    shard, index = shard_of(3)
    put(shard, 1, lifetime=0.0)
    put(shard, 2, 3)
    use(index, 1, times=MAX_USES)
    put(shard, 4)

    assert kept(shard) == [2, 3, 4]
    assert (shard.evictions, shard.expirations, shard.ghosts) == (0, 1, 0)


def test_bytes_bind_as_entries_do() -> None:
    """A large record takes the room of several small ones, and never more than the shard has."""
    shard, _ = shard_of(1000, max_bytes=10 * SIZE)
    put(shard, *range(10))
    put(shard, 10, body=bytes(4 * SIZE - 100))

    assert 10 in kept(shard)
    assert shard.bytes <= 10 * SIZE
    assert shard.evictions == 5


def test_what_is_larger_than_the_shard_is_refused_and_evicts_nothing() -> None:
    """One giant cannot empty the cache."""
    shard, _ = shard_of(1000, max_bytes=10 * SIZE)
    put(shard, *range(9))
    put(shard, 9, body=bytes(10 * SIZE))

    assert kept(shard) == list(range(9))
    assert (shard.refusals, shard.evictions) == (1, 0)


def test_a_refused_record_removes_what_it_would_have_replaced() -> None:
    """The old record is out of date: better none than that one."""
    shard, index = shard_of(1000, max_bytes=10 * SIZE)
    put(shard, 1)
    put(shard, 1, body=bytes(10 * SIZE))

    assert index == {}
    assert (shard.entries, shard.bytes) == (0, 0)


def test_a_shard_without_room_refuses_everything() -> None:
    """No entries allowed means none kept."""
    shard, _ = shard_of(0)
    put(shard, 1)

    assert (shard.entries, shard.refusals) == (0, 1)


def test_a_replacement_that_grew_evicts_others_and_not_itself() -> None:
    """A record that fits is there after its put, also in the place of a smaller one."""
    shard, index = shard_of(1000, max_bytes=5 * SIZE)
    put(shard, 1, 2, 3, 4, 5)
    put(shard, 1, body=bytes(3 * SIZE))

    assert kept(shard)[-1] == 1
    assert index[(1,)].record.size == index[(1,)].weight > 3 * SIZE
    assert shard.bytes == sum(kept.record.size for kept in shard) <= 5 * SIZE


def test_a_sweep_goes_on_where_the_last_one_stopped() -> None:
    """Steps of any size look at every record in turn."""
    shard, index = shard_of(100)
    put(shard, *range(50))
    use(index, *range(50))
    put(shard, *range(50, 101))  # The first of these are in main now.
    for number in range(60, 70):
        index[(number,)].record = response((number,), lifetime=0.0)
    forgotten = [shard.sweep(NOW, 7) for _ in range(15)]

    assert sum(forgotten) == 10
    assert max(forgotten) <= 7
    assert not {*range(60, 70)} & {*kept(shard)}


def test_a_sweep_with_enough_budget_looks_at_each_record_once() -> None:
    """Whatever has expired is gone after it, wherever the sweep stood before."""
    shard, _ = shard_of(100)
    put(shard, *range(10))
    put(shard, *range(10, 20), lifetime=0.0)
    assert shard.sweep(NOW - 1, 3) == 0
    assert shard.sweep(NOW, 1000) == 10

    assert kept(shard) == list(range(10))
    assert shard.sweep(NOW, 1000) == 0


def test_the_record_a_sweep_stopped_at_may_go() -> None:
    """Dropped, evicted or replaced in the meantime, it leaves the sweep its successor."""
    shard, _ = shard_of(4)
    put(shard, 1, 2, 3, 4, lifetime=5.0)
    shard.sweep(NOW, 1)
    shard.drop((2,))
    shard.sweep(NOW, 3)
    put(shard, 5, 6)  # Evicts 1, where the sweep stands now.

    assert shard.sweep(NOW + 5, 4) == 2
    assert kept(shard) == [5, 6]


def test_dropping_what_is_not_there_says_so() -> None:
    """`drop` tells whether it found something."""
    shard, _ = shard_of(4)
    put(shard, 1)

    assert [shard.drop((1,)), shard.drop((1,))] == [True, False]


def test_clear_leaves_nothing_behind() -> None:
    """Neither records nor ghosts, and the shard goes on working."""
    shard, index = shard_of(4)
    put(shard, *range(10))
    shard.clear()
    assert (shard.entries, shard.bytes, shard.ghosts, index) == (0, 0, 0, {})

    put(shard, 1)
    assert kept(shard) == [1]


def test_ghosts_are_few_and_soon_forgotten() -> None:
    """They never outnumber the room, and the older half goes first."""
    ghosts = Ghosts()
    for number in range(100):
        ghosts.add((number,), 10)
        assert len(ghosts) <= 10

    assert ghosts.take((99,))
    assert not ghosts.take((99,))
    assert not ghosts.take((0,))


def test_ghosts_remember_across_a_change_of_generation() -> None:
    """A key of the earlier generation counts too."""
    ghosts = Ghosts()
    for number in range(6):
        ghosts.add((number,), 10)

    assert ghosts.take((0,))
    assert ghosts.take((5,))


@pytest.mark.parametrize(("room", "left"), [(6, 6), (5, 1), (0, 0)])
def test_ghosts_give_way_when_the_shard_shrinks(room: int, left: int) -> None:
    """By generations: one, or both."""
    ghosts = Ghosts()
    for number in range(6):
        ghosts.add((number,), 10)
    ghosts.trim(room)

    assert len(ghosts) == left


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("share", CAPACITIES)
def test_the_hit_ratio_is_within_one_point_of_the_best(trace: str, share: str) -> None:
    """Eight shards lose at most a point to the better of S3-FIFO and W-TinyLFU; the whole table is a benchmark."""
    requests = TRACES[trace](40_000)
    capacity = CAPACITIES[share]
    best = max(hit_ratio(S3FIFO(capacity), requests), hit_ratio(WTinyLFU(capacity), requests))

    assert hit_ratio(Ours(capacity, shards=8), requests) >= best - 1
    assert hit_ratio(Ours(capacity, shards=8, by_bytes=True), requests) >= best - 1
