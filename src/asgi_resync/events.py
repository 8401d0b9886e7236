"""What can happen, one frozen value each. It tells; it never decides and never acts.

A listener is any callable of one event. It is called synchronously on the event loop, so it must be quick;
one that raises is logged, less and less often, and goes on being called; it harms no request. One that has an
attribute `wants`, a tuple of kinds of events, may be told of no others, and those that no listener wants may not even
be made.

`route` is the pattern of the rule that applied, or "" where none did; of a value, the template or the name of its
function, or `get_or_set`: a bounded set, fit for metric labels.
`key` is for logs and tests, never for labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ._listening import guarded as guarded
from ._listening import wanted_by as wanted_by
from ._listening import wants as wants

CacheKey: TypeAlias = tuple[object, ...]
"""Opaque and hashable; made by `asgi_resync.cache.keys`."""


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events."""


Listener: TypeAlias = Callable[[Event], None]


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
    """A response was forwarded and not stored; `reason` says why (`no-store`, `set-cookie`, `too-large`, …)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDropped(CacheEvent):
    """A record was not written to the second tier.

    `reason` is `queue-full`, `closing`, `too-large`, `unwritable`, or `superseded`: its key was dropped while the app
    was asked.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBroken(CacheEvent):
    """What the second tier held cannot be used, which is a miss; `reason` is one of a small set."""

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
    """A message of the backplane could not be used; `reason` is one of a small set."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted(Event):
    """Entries left the memory store for others to fit, or since they expired; `reason` is `size` or `expired`."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamEvent(Event):
    """Something happened to one upstream; `upstream` is its name, fit for metric labels."""

    upstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(UpstreamEvent):
    """A breaker went from one state to another.

    `before` and `after` are `closed`, `open`, `half-open`, `forced-open`, `forced-closed` or `metrics-only`; `cause`
    is `failures`, `failure-rate`, `slow-calls`, `probe`, `time`, `successes`, `operator`, `connected` (Redis is
    there again) or `heard` (from another process); `open_for` is how many seconds nobody is admitted, 0 where
    somebody is.
    """

    before: str
    after: str
    cause: str
    open_for: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAnswered(UpstreamEvent):
    """A client of the upstream made one attempt, and it began to answer, or failed, after `seconds`.

    `outcome` is a status or an exception class name, such as `CancelledError` where a deadline had passed.
    """

    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFailed(UpstreamEvent):
    """A call was counted as failed: `cause` is an exception class name or a status, `row` how many failed in a row."""

    cause: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRecovered(UpstreamEvent):
    """A call succeeded after others had failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRefused(UpstreamEvent):
    """A call was not admitted; `retry_after` in seconds, 0 if that is not known. `by` is `breaker` or `bulkhead`."""

    retry_after: float
    by: str = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(UpstreamEvent):
    """A call failed, and will be made again in `wait` seconds; `attempt` is the number of the one that failed, from 1.

    `cause` is a status or the name of an exception.
    """

    attempt: int
    wait: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesEnded(UpstreamEvent):
    """A call that another attempt might have mended was given up after `attempts`, and the caller got the failure.

    `reason` is `attempts`, `deadline`, `retry-after`, `method`, `body` or `opted-out`.
    """

    attempts: int
    reason: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudgetSpent(UpstreamEvent):
    """A call was not made again since its upstream has had as many retries of late as its budget allows."""

    attempts: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedAnswer(UpstreamEvent):
    """A request was answered for want of an upstream; `by` is `fallback` or `refusal` (503).

    `route` is the pattern of the rule that applied, or "".
    """

    route: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEvent(Event):
    """Something happened to one resource; `resource` is its name, fit for metric labels."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUp(ResourceEvent):
    """A resource can be used, after so many `attempts`, of which the last took `seconds`."""

    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDown(ResourceEvent):
    """A resource cannot be used, and is tried again for ever.

    `cause` is an exception class name or a short word; `critical` if the app is not ready without it.
    """

    cause: str
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRetryScheduled(ResourceEvent):
    """A start failed, and is tried again in `wait` seconds; `attempt` is the number of the one that failed, from 1."""

    attempt: int
    wait: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStopped(ResourceEvent):
    """A resource was stopped, which took `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAbandoned(ResourceEvent):
    """A resource was not stopped as it should be: it took too long, or raised `cause`, an exception class name.

    `phase` is the state it was in.
    """

    phase: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """What a setting was and is, in human units: empty where it is not set, masked where it is a secret."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} {self.before or 'unset'} -> {self.after or 'unset'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied(Event):
    """The settings were read again: `changes` are in force, `at_restart` are wanted, and come with a restart."""

    changes: tuple[SettingChange, ...] = ()
    at_restart: tuple[SettingChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused(Event):
    """The settings were read again and cannot be used, for all these `problems`: nothing has changed."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalFailure(Event):
    """The library failed at `where` and stepped aside; the request went on to the app."""

    where: str
    error: BaseException


OF_REQUESTS: tuple[type[Event], ...] = (
    CacheHit, CacheMiss, Stored, NotStored, StaleServed, Refreshed, RefreshFailed, Collapsed, Invalidated, TierAnswered,
    UpstreamAnswered,
)  # fmt: skip
"""What every request may bring, so what a hit must not pay for where nobody wants it."""
