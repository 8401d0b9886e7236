"""What happened in the last minutes, kept in memory: for a page that shows it, and for tests. It is bounded."""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections import deque

import msgspec

from .._asgi import Clock
from ..events import (
    BreakerChanged,
    CacheHit,
    CacheMiss,
    Collapsed,
    Event,
    NotStored,
    Purged,
    StaleServed,
    TierAnswered,
    UpstreamAnswered,
)
from .lines import LOGGED
from .metrics import BUCKETS
from .news import News

SLOTS = 60
SLOT_SECONDS = 5.0
MOST_CHANGES = 100
LONGEST_NAME = 200
"""Characters of what was purged that are shown."""
MOST_STATES = 20
"""Changes of one breaker that are remembered."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests were answered how.

    Fresh from `l1` or `l2`, `stale` while refreshed, `collapsed` into the call of another one, or by a call of the app
    of their own (`misses`). `rescued` are those that got something stale as such a call failed, their own or another's;
    where it was their own they are among the misses too. `passed` are those of which nobody had said that the answer
    might be kept, as far as they were looked at. `hit_ratio` is the share of the others that did not call the app:
    (l1 + l2 + stale + collapsed) / (the same + misses); None where there was none.
    """

    l1: int
    l2: int
    stale: int
    collapsed: int
    misses: int
    rescued: int
    hit_ratio: float | None
    passed: int = 0


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, in seconds: each figure is the upper bound of the bucket that it fell into.

    None is longer than the largest bound.
    """

    count: int
    p50: float | None
    p99: float | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that changed `at`, in seconds since the epoch. `level` is one of `logging`'s names, in lower case.

    What repeats itself stands there once in five minutes, breakers and resources at most ten times.
    """

    at: float
    level: str
    text: str


class BreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """What state a breaker came to, when, and by what cause; see `BreakerChanged`."""

    at: float
    state: str
    cause: str


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in the last `seconds` up to `at`, in seconds since the epoch.

    `answers` is for all of them, and `hit_ratios` for each `slot` of so many seconds, the oldest first. `latency` is by
    operation of Redis, `upstreams` by name. `changes` has the latest first, and `breakers`, by name of the upstream,
    the latest last: these two may be older.
    """

    at: float
    seconds: float
    slot: float
    answers: Answers
    hit_ratios: list[float | None]
    latency: dict[str, Latency]
    upstreams: dict[str, Latency]
    changes: list[Change]
    breakers: dict[str, list[BreakerState]]


class _Slot:
    __slots__ = ("counts", "number", "times")

    def __init__(self, number: int) -> None:
        self.number = number
        self.counts = [0] * _PLACES
        self.times: dict[tuple[int, str], list[int]] = {}


_L1, _L2, _STALE, _COLLAPSED, _MISSES, _RESCUED, _PASSED, _PLACES = range(8)
"""Where in a slot each is counted, and how many there are."""
_PURGED = {"all": "Everything", "tag": "Tag", "url": "URL", "upstream": "Upstream"}
_REDIS, _UPSTREAM = range(2)
"""What was timed."""


class Recorder:
    """A listener that remembers the last five minutes: `Resync(on_event=recorder)`, then `recorder.recording()`.

    *clock* gives seconds since the epoch. Spans of time are measured by it too if it is not the system's, and otherwise
    by a monotonic one. It may be told in several threads, and holds some 100 kB at most.
    """

    wants: tuple[type[Event], ...] = (
        CacheHit, CacheMiss, Collapsed, NotStored, StaleServed, TierAnswered, UpstreamAnswered, Purged, BreakerChanged,
        *(kind for kind in LOGGED if kind is not BreakerChanged),
    )  # fmt: skip

    def __init__(self, *, clock: Clock = time.time) -> None:
        self._clock = clock
        self._steady = time.monotonic if clock is time.time else clock
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)
        self._changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._breakers: dict[str, deque[BreakerState]] = {}
        self._news = News(SLOTS * SLOT_SECONDS)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take *event*."""
        place = _place_of(event)
        with self._lock:
            if place is not None:
                counts = self._slot().counts
                counts[place] += 1
                if place == _PASSED:
                    # It was told as a miss when its app was called.
                    counts[_MISSES] -= 1
            elif isinstance(event, TierAnswered):
                self._time(_REDIS, event.operation, event.seconds)
            elif isinstance(event, UpstreamAnswered):
                self._time(_UPSTREAM, event.upstream, event.seconds)
            else:
                self._note(event, self._clock())

    def recording(self) -> Recording:
        """Return what happened of late, as a value that does not change."""
        newest = int(self._steady() // SLOT_SECONDS)
        with self._lock:
            slots = {slot.number: slot for slot in self._slots if newest - SLOTS < slot.number <= newest}
            counts = [sum(slot.counts[place] for slot in slots.values()) for place in range(_PLACES)]
            times: dict[tuple[int, str], list[int]] = {}
            for slot in slots.values():
                for timed, found in slot.times.items():
                    known = times.get(timed, [0] * len(found))
                    times[timed] = [one + other for one, other in zip(known, found, strict=True)]
            changes = list(reversed(self._changes))
            breakers = {name: list(states) for name, states in self._breakers.items()}
        numbers = range(newest - SLOTS + 1, newest + 1)
        return Recording(
            at=self._clock(),
            seconds=SLOTS * SLOT_SECONDS,
            slot=SLOT_SECONDS,
            answers=_answers(counts),
            hit_ratios=[_ratio(slots[number].counts) if number in slots else None for number in numbers],
            latency=_latencies(times, _REDIS),
            upstreams=_latencies(times, _UPSTREAM),
            changes=changes,
            breakers=breakers,
        )

    def _slot(self) -> _Slot:
        number = int(self._steady() // SLOT_SECONDS)
        if not self._slots or self._slots[-1].number < number:
            self._slots.append(_Slot(number))
        return self._slots[-1]

    def _time(self, what: int, name: str, seconds: float) -> None:
        counts = self._slot().times.setdefault((what, name), [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1

    def _note(self, event: Event, now: float) -> None:
        if isinstance(event, Purged):
            how = "marked stale" if event.soft else "purged"
            what = f"{_PURGED[event.scope]} {event.name[:LONGEST_NAME]}".strip()
            self._changes.append(Change(at=now, level="info", text=f"{what} was {how}."))
            return
        if isinstance(event, BreakerChanged):
            states = self._breakers.setdefault(event.upstream, deque(maxlen=MOST_STATES))
            states.append(BreakerState(at=now, state=event.after, cause=event.cause))
        line = self._news.line(event)
        if line is not None and self._news.admit(line, self._steady()) is not None:
            level = logging.getLevelName(line.level).lower()
            self._changes.append(Change(at=now, level=level, text=line.text))


def _place_of(event: Event) -> int | None:
    """Return where *event* is counted, if it is an answer."""
    match event:
        case CacheHit(tier=tier):
            return _L1 if tier == "l1" else _L2
        case CacheMiss():
            return _MISSES
        case StaleServed(reason=reason):
            return _RESCUED if reason == "if-error" else _STALE
        case Collapsed():
            return _COLLAPSED
        case NotStored(route=""):
            return _PASSED
        case _:
            return None


def _answers(counts: list[int]) -> Answers:
    return Answers(
        l1=counts[_L1],
        l2=counts[_L2],
        stale=counts[_STALE],
        collapsed=counts[_COLLAPSED],
        misses=max(counts[_MISSES], 0),
        rescued=counts[_RESCUED],
        passed=counts[_PASSED],
        hit_ratio=_ratio(counts),
    )


def _ratio(counts: list[int]) -> float | None:
    answered = counts[_L1] + counts[_L2] + counts[_STALE] + counts[_COLLAPSED]
    asked = answered + max(counts[_MISSES], 0)
    return answered / asked if asked else None


def _latencies(times: dict[tuple[int, str], list[int]], what: int) -> dict[str, Latency]:
    return {name: _latency(times[kind, name]) for kind, name in sorted(times) if kind == what}


def _latency(counts: list[int]) -> Latency:
    return Latency(count=sum(counts), p50=_quantile(counts, 0.5), p99=_quantile(counts, 0.99))


def _quantile(counts: list[int], share: float) -> float | None:
    wanted, seen = share * sum(counts), 0
    for place, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return BUCKETS[place] if place < len(BUCKETS) else None
    return None
