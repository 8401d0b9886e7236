"""What can happen between this process, Redis, and the other processes."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event
from .cache import CacheEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDropped(CacheEvent):
    """A record was not written to the second tier.

    `reason` is `queue-full`, `closing`, `too-large`, `unwritable`, or `superseded`: its key was dropped while the app
    was asked.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBroken(CacheEvent):
    """What the second tier held cannot be used, which is a miss.

    `reason` says what is wrong with its form (`not a record`, `unknown version`, `unreadable`, `senseless`, `unknown
    packing`, `too large`, `other key`), or its seal (`unsealed`, `unsigned`, `damaged`, `no key`, `wrong signature`).
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUnreachable(Event):
    """The second tier did not do `operation`: `get`, `set` or `delete`.

    `cause` is the class name of what went wrong, or `open` where the breaker did not let it try.
    """

    operation: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAnswered(Event):
    """The second tier has done `operation`, `get` or `set`, in `seconds`, waiting for others' included."""

    operation: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeQueued(Event):
    """Redis is away, so `count` tags and keys that were purged here have yet to be heard of elsewhere."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDelivered(Event):
    """Redis has `count` tags and keys that were purged here; other processes hear of them now."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackplaneLost(Event):
    """Purges of other processes may be missed from now on: what this process holds counts as stale.

    `cause` is an exception class name, `silence`, or a short word of the kind.
    """

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackplaneCaughtUp(Event):
    """Purges of other processes are heard again. `missed` if some can never be known: what was held stays stale."""

    missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIgnored(Event):
    """A message of the backplane could not be used.

    `reason` is `unreadable message`, `purge without a version`, or what is wrong with its seal, as in `RecordBroken`.
    """

    reason: str
