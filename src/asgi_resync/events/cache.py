"""What can happen to what is stored, and to requests that could be answered from it."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CacheKey, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEvent(Event):
    """Something happened to one key."""

    key: CacheKey
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHit(CacheEvent):
    """A stored response was served while fresh, or after validation; `tier` is `l1` or `l2`, `age` in seconds."""

    tier: str
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMiss(CacheEvent):
    """The app was called. `reason` is a `fwd` token of RFC 9211 §2.2 (`uri-miss`, `vary-miss`, `stale`, …).

    Nothing tells of requests that pass by the cache: methods that it never keeps, and URLs without a rule that lately
    proved uncacheable.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(CacheEvent):
    """A response was stored; `lifetime` is its freshness lifetime in seconds, `size` its body in bytes."""

    lifetime: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStored(CacheEvent):
    """A response was forwarded and not stored; `reason` says why.

    What it said itself: `no-store`, `private`, `set-cookie`, `vary-star`, `no-lifetime`, `status`, `must-understand`,
    `authorization`. What it was: `event-stream`, `trailers`, `too-large`, `incomplete`, `request-body`, `malformed`.
    What happened meanwhile: `purged`. Of values of functions also `other-type` and `degraded`.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleServed(CacheEvent):
    """A stale response was served: `while-revalidate`, `if-error` or `max-stale`; `staleness` in seconds.

    `if-error` comes after the CacheMiss of the same request, or of the one whose call of the app has failed.
    """

    reason: str
    staleness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed(CacheEvent):
    """A stored response became fresh again; `validated` if by a 304, else by a new response."""

    validated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFailed(CacheEvent):
    """A call of the app gave no usable response.

    `cause` is an exception class name, a status, `not stored` or `incomplete`.
    """

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapsed(CacheEvent):
    """A request was answered by the app call of another one that was under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidated(CacheEvent):
    """An unsafe request succeeded, so what was stored for its URI counts no more (RFC 9111 §4.4).

    With a second tier it is told also where nothing was stored, as asking would cost a call.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged(Event):
    """A purge was carried out; `scope` is `tag`, `url`, `upstream` or `all`, `name` what was named."""

    scope: str
    name: str
    soft: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted(Event):
    """Entries left the memory store for others to fit, or since they expired; `reason` is `size` or `expired`."""

    count: int
    reason: str
