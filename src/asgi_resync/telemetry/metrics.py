"""Which event counts in which metric, once for all systems of metrics. It counts nothing itself.

A metric has a dotted name; each system spells it by its own conventions. Labels take values of bounded sets: rules,
names of upstreams and resources, words of this library, statuses, and class names of exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..events import (
    BackplaneCaughtUp,
    BackplaneLost,
    BreakerChanged,
    CacheHit,
    CacheMiss,
    Collapsed,
    ConfigApplied,
    ConfigRefused,
    DegradedAnswer,
    Event,
    Evicted,
    InternalFailure,
    Invalidated,
    MessageIgnored,
    NotStored,
    Purged,
    PurgeDelivered,
    PurgeQueued,
    RecordBroken,
    Refreshed,
    RefreshFailed,
    ResourceAbandoned,
    ResourceDown,
    ResourceRetryScheduled,
    ResourceUp,
    RetriesEnded,
    RetryBudgetSpent,
    RetryScheduled,
    StaleServed,
    Stored,
    TierAnswered,
    TierUnreachable,
    UpstreamAnswered,
    UpstreamFailed,
    UpstreamRefused,
    WriteDropped,
)

STATES = ("closed", "open", "half-open", "forced-open", "forced-closed", "metrics-only")
"""The states of a breaker; one of them has the value 1, the others 0."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the buckets of durations."""
MOST_SERIES = 2000
"""Combinations of labels that one metric may have; what comes beyond is counted under OTHER."""
OTHER = "other"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric: its dotted *name*, *kind*, what it tells, the names of its labels, and its unit ("" is a number)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unit: Literal["", "seconds", "bytes"] = ""


class Sample(NamedTuple):
    """What is to be added to a counter, set in a gauge, or observed by a histogram."""

    metric: Metric
    labels: tuple[str, ...]
    value: float = 1.0


def _counter(name: str, help: str, *labels: str, unit: Literal["", "seconds", "bytes"] = "") -> Metric:
    return Metric(name, "counter", help, labels, unit)


HITS = _counter("cache.hits", "Responses and values served fresh from the cache.", "route", "tier")
MISSES = _counter("cache.misses", "Requests for which the app was called.", "route", "reason")
COLLAPSED = _counter("cache.collapsed", "Requests answered by the call of another one.", "route")
STALE = _counter("cache.stale", "Stale responses and values served.", "route", "reason")
STORED = _counter("cache.stored", "Responses and values stored.", "route")
STORED_BYTES = _counter("cache.stored.size", "Bytes of the bodies stored.", "route", unit="bytes")
NOT_STORED = _counter("cache.not_stored", "Responses and values forwarded and not stored.", "route", "reason")
REFRESHES = _counter("cache.refreshes", "Stored responses that became fresh again, or did not.", "route", "result")
INVALIDATIONS = _counter("cache.invalidations", "Unsafe requests that made what was stored invalid.", "route")
PURGES = _counter("cache.purges", "Purges carried out.", "scope", "mode")
EVICTIONS = _counter("cache.evictions", "Entries that left memory.", "reason")
TIER_SECONDS = Metric(
    "redis.duration", "histogram", "How long Redis took, as requests see it.", ("operation",), "seconds"
)
UNREACHABLE = _counter("redis.unreachable", "Operations that Redis did not do.", "operation", "error_type")
WRITES_DROPPED = _counter("redis.writes.dropped", "Records that were not written to Redis.", "reason")
BROKEN = _counter("redis.records.broken", "Records in Redis that could not be used.", "reason")
BACKPLANE = Metric("backplane.up", "gauge", "1 while the purges of other processes are heard, else 0.")
BACKPLANE_LOST = _counter("backplane.losses", "Times the backplane was lost.", "cause")
IGNORED = _counter("backplane.messages.ignored", "Messages of other processes that could not be used.", "reason")
QUEUED = _counter("purges.queued", "Tags and keys whose purge waits for Redis to be back.")
DELIVERED = _counter("purges.delivered", "Tags and keys whose purge Redis has heard of.")
BREAKER_STATE = Metric("breaker.state", "gauge", "1 for the state that the breaker is in.", ("upstream", "state"))
BREAKER_CHANGES = _counter("breaker.changes", "Changes of state of a breaker.", "upstream", "state", "cause")
UPSTREAM_SECONDS = Metric(
    "upstream.duration", "histogram", "How long an upstream took to begin to answer.", ("upstream", "result"), "seconds"
)
FAILURES = _counter("upstream.failures", "Calls that counted as failed.", "upstream", "error_type")
REFUSED = _counter("upstream.rejections", "Calls that were not admitted.", "upstream", "by")
RETRIES = _counter("upstream.retries", "Calls that were made again.", "upstream", "error_type")
RETRIES_ENDED = _counter("upstream.retries.ended", "Calls that were given up.", "upstream", "reason")
BUDGET_SPENT = _counter("upstream.retry_budget.spent", "Calls not made again for want of a budget.", "upstream")
DEGRADED = _counter("degraded.answers", "Requests answered for want of an upstream.", "upstream", "route", "by")
RESOURCE_UP = Metric("resource.up", "gauge", "1 while the resource can be used, else 0.", ("resource",))
RESOURCE_RETRIES = _counter("resource.retries", "Starts of a resource that failed.", "resource", "error_type")
RESOURCE_ABANDONED = _counter("resource.abandoned", "Resources that did not stop as they should.", "resource")
CONFIGS = _counter("config.reloads", "Changed settings that are in force, or were refused.", "result")
FAULTS = _counter("internal.failures", "Faults of this library, which no request suffered from.", "where")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All metrics, in the order of this file."""


def result_of(event: UpstreamAnswered) -> str:
    """Return the class of a status, such as `2xx`; `error` for what was no answer."""
    return f"{event.outcome[0]}xx" if event.outcome.isdecimal() else "error"


def _of_breaker(event: BreakerChanged) -> Iterator[Sample]:
    yield Sample(BREAKER_CHANGES, (event.upstream, event.after, event.cause))
    for state in STATES:
        yield Sample(BREAKER_STATE, (event.upstream, state), float(state == event.after))


def _of_stored(event: Stored) -> Iterator[Sample]:
    yield Sample(STORED, (event.route,))
    yield Sample(STORED_BYTES, (event.route,), event.size)


def _of_lost(event: BackplaneLost) -> Iterator[Sample]:
    yield Sample(BACKPLANE, (), 0.0)
    yield Sample(BACKPLANE_LOST, (event.cause,))


_SAMPLES: Mapping[type[Event], Callable[..., Iterator[Sample] | tuple[Sample, ...]]] = {
    CacheHit: lambda event: (Sample(HITS, (event.route, event.tier)),),
    CacheMiss: lambda event: (Sample(MISSES, (event.route, event.reason)),),
    Collapsed: lambda event: (Sample(COLLAPSED, (event.route,)),),
    StaleServed: lambda event: (Sample(STALE, (event.route, event.reason)),),
    Stored: _of_stored,
    NotStored: lambda event: (Sample(NOT_STORED, (event.route, event.reason)),),
    Refreshed: lambda event: (Sample(REFRESHES, (event.route, "validated" if event.validated else "replaced")),),
    RefreshFailed: lambda event: (Sample(REFRESHES, (event.route, "failed")),),
    Invalidated: lambda event: (Sample(INVALIDATIONS, (event.route,)),),
    Purged: lambda event: (Sample(PURGES, (event.scope, "soft" if event.soft else "hard")),),
    Evicted: lambda event: (Sample(EVICTIONS, (event.reason,), event.count),),
    TierAnswered: lambda event: (Sample(TIER_SECONDS, (event.operation,), event.seconds),),
    TierUnreachable: lambda event: (Sample(UNREACHABLE, (event.operation, event.cause)),),
    WriteDropped: lambda event: (Sample(WRITES_DROPPED, (event.reason,)),),
    RecordBroken: lambda event: (Sample(BROKEN, (event.reason,)),),
    BackplaneCaughtUp: lambda event: (Sample(BACKPLANE, ()),),
    BackplaneLost: _of_lost,
    MessageIgnored: lambda event: (Sample(IGNORED, (event.reason,)),),
    PurgeQueued: lambda event: (Sample(QUEUED, (), event.count),),
    PurgeDelivered: lambda event: (Sample(DELIVERED, (), event.count),),
    BreakerChanged: _of_breaker,
    UpstreamAnswered: lambda event: (Sample(UPSTREAM_SECONDS, (event.upstream, result_of(event)), event.seconds),),
    UpstreamFailed: lambda event: (Sample(FAILURES, (event.upstream, event.cause)),),
    UpstreamRefused: lambda event: (Sample(REFUSED, (event.upstream, event.by)),),
    RetryScheduled: lambda event: (Sample(RETRIES, (event.upstream, event.cause)),),
    RetriesEnded: lambda event: (Sample(RETRIES_ENDED, (event.upstream, event.reason)),),
    RetryBudgetSpent: lambda event: (Sample(BUDGET_SPENT, (event.upstream,)),),
    DegradedAnswer: lambda event: (Sample(DEGRADED, (event.upstream, event.route, event.by)),),
    ResourceUp: lambda event: (Sample(RESOURCE_UP, (event.resource,)),),
    ResourceDown: lambda event: (Sample(RESOURCE_UP, (event.resource,), 0.0),),
    ResourceRetryScheduled: lambda event: (Sample(RESOURCE_RETRIES, (event.resource, event.cause)),),
    ResourceAbandoned: lambda event: (Sample(RESOURCE_ABANDONED, (event.resource,)),),
    ConfigApplied: lambda event: (Sample(CONFIGS, ("applied",)),),
    ConfigRefused: lambda event: (Sample(CONFIGS, ("refused",)),),
    InternalFailure: lambda event: (Sample(FAULTS, (event.where,)),),
}

COUNTED: tuple[type[Event], ...] = tuple(_SAMPLES)
"""The kinds of events that count in some metric."""


def samples_of(event: Event) -> Iterator[Sample] | tuple[Sample, ...]:
    """Return what *event* adds to metrics, observes or sets."""
    found = _SAMPLES.get(type(event))
    return () if found is None else found(event)
