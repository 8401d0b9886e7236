"""What was purged here and other processes have yet to hear of. Pure; it delivers nothing.

Of several purges of one tag or key one is left, so an outage of any length costs a bounded amount. Beyond that all are
widened to a purge of everything: more is purged than asked, never less.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Literal

from ..events import CacheKey

EVERYTHING = "\0all"
"""The tag that every entry carries without saying so. Tags of users hold no NUL."""

MAX_UNDELIVERED = 10_000
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far a purge got. In this process it holds in any case.

    `local`: there is no Redis, and nobody else to tell. `delivered`: Redis has it, and every process that has a lease
    there has applied it. `partial`: Redis has it, but `unconfirmed` processes did not answer in time, or were cut off
    so lately that they may still answer requests from memory; each applies it before it trusts its memory again.
    `queued`: Redis is away or did not take it; it will be delivered when Redis is back, as long as this process lives.

    `confirmed` is the number of other processes that have applied it. A process that could never reach Redis, or has
    been cut off for longer than the lifetime cap of memory, is alone, and counted nowhere.
    """

    state: Literal["local", "delivered", "partial", "queued"]
    confirmed: int = 0
    unconfirmed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is delivered at once: tags purged hard, tags purged softly and since when, keys dropped.

    `upto` is the ledger's version at which it was made, and `drops` the number of drops until then: what is purged
    again after it remains to be delivered.
    """

    hard: tuple[str, ...]
    soft: tuple[tuple[str, float], ...]
    keys: tuple[CacheKey, ...]
    upto: int
    drops: int

    def __bool__(self) -> bool:
        return bool(self.hard or self.soft or self.keys)


class Undelivered:
    """Purges by tag or key, at most `MAX_UNDELIVERED` of each kind, with the ledger's versions that they have."""

    __slots__ = ("_drops", "_hard", "_keys", "_soft")

    def __init__(self) -> None:
        # The oldest and the newest version of each, and for soft ones the earliest moment.
        self._hard: dict[str, tuple[int, int]] = {}
        self._soft: dict[str, tuple[int, int, float]] = {}
        # Keys change no version, so they have numbers of their own.
        self._keys: dict[CacheKey, int] = {}
        self._drops = 0

    def __len__(self) -> int:
        return len(self._hard) + len(self._soft) + len(self._keys)

    def add(self, tag: str, version: int, at: float, *, soft: bool) -> None:
        """Note a purge of *tag*; *at* is its moment in seconds since the epoch."""
        if soft:
            oldest, _, earliest = self._soft.get(tag, (version, version, at))
            self._soft[tag] = (oldest, version, min(earliest, at))
        else:
            oldest, _ = self._hard.get(tag, (version, version))
            self._hard[tag] = (oldest, version)

    def add_key(self, key: CacheKey) -> None:
        """Note that *key* was dropped."""
        self._drops += 1
        self._keys[key] = self._drops

    @property
    def dropped(self) -> int:
        """The number of drops until now."""
        return self._drops

    @property
    def batches(self) -> int:
        """How many batches take all that there is now: what is purged again keeps its place, what is new comes last."""
        return -(-max(len(self._hard), len(self._soft), len(self._keys)) // BATCH)

    def widen(self, version: int) -> bool:
        """Make room if there is none, and return whether that made it a hard purge of everything at *version*."""
        if max(len(self._hard), len(self._soft), len(self._keys)) <= MAX_UNDELIVERED:
            return False
        versions = [found[0] for found in self._hard.values()] + [found[0] for found in self._soft.values()]
        oldest = min([version, *versions])
        self._hard = {EVERYTHING: (oldest, version)}
        self._soft.clear()
        self._keys.clear()
        return True

    def since(self, tag: str) -> int | None:
        """Return the version of the oldest purge of *tag* that remains to be delivered."""
        hard, soft = self._hard.get(tag), self._soft.get(tag)
        if hard is None:
            return soft[0] if soft is not None else None
        return hard[0] if soft is None else min(hard[0], soft[0])

    def drops(self, key: CacheKey) -> bool:
        """Return whether a drop of *key* remains to be delivered, so that the second tier may still hold it."""
        return key in self._keys

    def batch(self, upto: int) -> Batch:
        """Return the oldest of what there is, at most `BATCH` of each kind; *upto* is the ledger's version."""
        return Batch(
            hard=tuple(islice(self._hard, BATCH)),
            soft=tuple((tag, at) for tag, (_, _, at) in islice(self._soft.items(), BATCH)),
            keys=tuple(islice(self._keys, BATCH)),
            upto=upto,
            drops=self._drops,
        )

    def settle(self, batch: Batch) -> None:
        """Forget what *batch* delivered, but not what was purged again since it was made."""
        for tag in batch.hard:
            if tag in self._hard and self._hard[tag][1] <= batch.upto:
                del self._hard[tag]
        for tag, _ in batch.soft:
            if tag in self._soft and self._soft[tag][1] <= batch.upto:
                del self._soft[tag]
        for key in batch.keys:
            if self._keys.get(key, batch.drops + 1) <= batch.drops:
                del self._keys[key]
