"""When records leave the first tier."""

from __future__ import annotations

from asgi_resync.cache.lapse import FLOOR, Lapses
from asgi_resync.events import CacheKey


def test_records_leave_in_order_of_time() -> None:
    """What is due is taken out once, and the next is named."""
    lapses = Lapses(lambda key, token: True)
    for number in range(4):
        lapses.add(float(number), ("k", number), number)

    assert [(("k", 0), 0), (("k", 1), 1)] == lapses.due(1.5)
    assert 2.0 == lapses.first
    assert [] == lapses.due(1.5)
    lapses.clear()
    assert lapses.first is None


def test_what_left_otherwise_is_not_remembered_for_long() -> None:
    """However many records are replaced, the number remembered is bounded by what is kept."""
    kept: dict[CacheKey, int] = {}
    lapses = Lapses(lambda key, token: kept.get(key) == token)
    longest = 0
    for number in range(20 * FLOOR):
        key = ("k", number % FLOOR)
        kept[key] = number
        lapses.add(1.0, key, number)
        longest = max(longest, len(lapses))

    assert longest <= 2 * FLOOR + 1
    assert set(kept.items()) <= set(lapses.due(1.0))
