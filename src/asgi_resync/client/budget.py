"""How many retries an upstream may be asked to bear: a share of what it is asked anyway, plus a floor.

It counts and says yes or no; it waits for nothing. Without a budget each of three layers that try three times makes
27 calls of one, just when the upstream can bear them least (Finagle's RetryBudget, Envoy's retry_budget).
"""

from __future__ import annotations

import math
from typing import TypeGuard

from ..errors import RuleError

_SLOTS = 10


class RetryBudget:
    """Retries bounded by recent traffic: of those within `window` seconds, at most `share` per request plus `floor`.

    *share* is 0.2 for one retry to five requests. *floor* is how many retries any `window` may hold however little
    traffic there is. *window* is in seconds; it moves on by a tenth of itself, so what is older than it never counts
    and what is younger than nine tenths of it always does. One budget may serve all clients of an upstream in a
    process; it is not for several threads. Raises RuleError for what cannot work.
    """

    __slots__ = (
        "_latest",
        "_requests",
        "_requests_by_slot",
        "_retries",
        "_retries_by_slot",
        "_width",
        "floor",
        "share",
        "window",
    )

    def __init__(self, *, share: float = 0.2, floor: int = 10, window: float = 10.0) -> None:
        for name, value, low in (("share", share, 0), ("floor", floor, 0), ("window", window, 0.001)):
            given: object = value
            if not _is_number(given) or not low <= given < math.inf:
                raise RuleError(name, given, f"give a number of {low} or more")
        self.share = share
        self.floor = floor
        self.window = float(window)
        self._width = window / _SLOTS
        self._latest = -_SLOTS
        self._requests = 0
        self._retries = 0
        self._requests_by_slot = [0] * _SLOTS
        self._retries_by_slot = [0] * _SLOTS

    def spend(self, now: float) -> bool:
        """Take one retry out at *now*, in seconds of a monotonic clock; False if there is none left."""
        self._move(now)
        if self._retries + 1 > self._requests * self.share + self.floor:
            return False
        self._retries += 1
        self._retries_by_slot[self._latest % _SLOTS] += 1
        return True

    def earn(self, now: float) -> None:
        """Count one request at *now*: a first attempt, not a retry."""
        if int(now // self._width) != self._latest:
            self._move(now)
        self._requests += 1
        self._requests_by_slot[self._latest % _SLOTS] += 1

    def _move(self, now: float) -> None:
        slot = int(now // self._width)
        # A clock that went back, as one may that another process gave us, moves nothing.
        for gone in range(max(self._latest + 1, slot - _SLOTS + 1), slot + 1):
            place = gone % _SLOTS
            self._requests -= self._requests_by_slot[place]
            self._retries -= self._retries_by_slot[place]
            self._requests_by_slot[place] = self._retries_by_slot[place] = 0
        self._latest = max(self._latest, slot)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
