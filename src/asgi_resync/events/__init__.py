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

from .._listening import guarded, wanted_by, wants
from .base import CacheKey, Event, Listener
from .cache import (
    CacheEvent,
    CacheHit,
    CacheMiss,
    Collapsed,
    Evicted,
    Invalidated,
    NotStored,
    Purged,
    Refreshed,
    RefreshFailed,
    StaleServed,
    Stored,
)
from .process import (
    ConfigApplied,
    ConfigRefused,
    InternalFailure,
    SettingChange,
)
from .resources import (
    ResourceAbandoned,
    ResourceDown,
    ResourceEvent,
    ResourceRetryScheduled,
    ResourceStopped,
    ResourceUp,
)
from .tier import (
    BackplaneCaughtUp,
    BackplaneLost,
    MessageIgnored,
    PurgeDelivered,
    PurgeQueued,
    RecordBroken,
    TierAnswered,
    TierUnreachable,
    WriteDropped,
)
from .upstreams import (
    BreakerChanged,
    DegradedAnswer,
    RetriesEnded,
    RetryBudgetSpent,
    RetryScheduled,
    UpstreamAnswered,
    UpstreamEvent,
    UpstreamFailed,
    UpstreamRecovered,
    UpstreamRefused,
)

__all__ = [
    "OF_REQUESTS",
    "BackplaneCaughtUp",
    "BackplaneLost",
    "BreakerChanged",
    "CacheEvent",
    "CacheHit",
    "CacheKey",
    "CacheMiss",
    "Collapsed",
    "ConfigApplied",
    "ConfigRefused",
    "DegradedAnswer",
    "Event",
    "Evicted",
    "InternalFailure",
    "Invalidated",
    "Listener",
    "MessageIgnored",
    "NotStored",
    "PurgeDelivered",
    "PurgeQueued",
    "Purged",
    "RecordBroken",
    "RefreshFailed",
    "Refreshed",
    "ResourceAbandoned",
    "ResourceDown",
    "ResourceEvent",
    "ResourceRetryScheduled",
    "ResourceStopped",
    "ResourceUp",
    "RetriesEnded",
    "RetryBudgetSpent",
    "RetryScheduled",
    "SettingChange",
    "StaleServed",
    "Stored",
    "TierAnswered",
    "TierUnreachable",
    "UpstreamAnswered",
    "UpstreamEvent",
    "UpstreamFailed",
    "UpstreamRecovered",
    "UpstreamRefused",
    "WriteDropped",
    "guarded",
    "wanted_by",
    "wants",
]

OF_REQUESTS: tuple[type[Event], ...] = (
    CacheHit, CacheMiss, Stored, NotStored, StaleServed, Refreshed, RefreshFailed, Collapsed, Invalidated, TierAnswered,
    UpstreamAnswered,
)  # fmt: skip
"""What every request may bring, so what a hit must not pay for where nobody wants it."""
