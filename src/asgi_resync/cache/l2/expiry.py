"""How long a record counts in Redis. Pure: the clock and the lot are arguments."""

from __future__ import annotations

import math

from ..entry import StoredResponse
from ..store import Record

MAX_PX = 30 * 86_400 * 1000
"""Milliseconds that Redis keeps anything at most. The journal of purges must remember for longer: see `HORIZON`."""
HORIZON = MAX_PX / 1000 + 86_400.0
"""Seconds for which a purge may concern a record, with a day for what is under way and for clocks that differ."""


def lifetime_there(entry: StoredResponse, now: float, *, cap: float, jitter: float, lot: float) -> float:
    """Return the freshness lifetime that *entry*, written at *now*, has in Redis.

    What is left of its own is cut to *cap* seconds, and by up to the share *jitter* of that, where *lot*, from 0 to 1,
    says how much: entries that were stored together then do not all turn stale together. It is never prolonged.
    """
    left = entry.born + entry.lifetime - now
    if left <= 0:
        return entry.lifetime
    return now - entry.born + min(left, cap) * (1 - jitter * lot)


def px_of(record: Record, lifetime: float, now: float) -> int:
    """Return for how many milliseconds from *now* Redis keeps *record*: its *lifetime* there and its longest window.

    At most `MAX_PX`; 0 or less if that is over.
    """
    if isinstance(record, StoredResponse):
        window = max(record.stale_while_revalidate, record.stale_if_error, record.keep)
        until = record.born + lifetime + window
    else:
        until = record.keep_until
    return min(math.ceil((until - now) * 1000), MAX_PX)
