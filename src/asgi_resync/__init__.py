"""Wrap any ASGI app in one line: it stays fast when traffic spikes and keeps answering when helpers are down.

The public names load when they are first used, so that `import asgi_resync` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import events, telemetry
    from ._deadline import deadline
    from .breaker.breaker import Breaker
    from .breaker.fallback import Fallback
    from .breaker.limits import BreakerLimits
    from .breaker.middleware import BreakerMiddleware
    from .breaker.rules import BreakerRule
    from .cache.cache import Cache
    from .cache.entry import StoredResponse
    from .cache.l2.store import RedisStore
    from .cache.marker import cache_for
    from .cache.memory import MemoryStore
    from .cache.middleware import CacheMiddleware
    from .cache.options import CacheOptions
    from .cache.rules import CacheRule
    from .cache.store import Store
    from .cache.tiered import TieredStore
    from .cache.undelivered import Delivery
    from .client.budget import RetryBudget
    from .client.bulkhead import Bulkhead
    from .client.options import ClientOptions
    from .client.schedule import RetryPolicy
    from .client.transport import retrying_transport
    from .client.tws import TWS
    from .errors import (
        AlreadyWrapped,
        BadAnswer,
        BreakerOpen,
        BulkheadFull,
        DeadlineExceeded,
        MissingExtra,
        ResourceFailed,
        ResourceUnavailable,
        ResyncError,
        RuleError,
        SettingsError,
    )
    from .resources.degradable import Degradable
    from .resources.graph import Edge, Graph, Node
    from .resources.health import Health
    from .resources.resource import Backoff, Resource
    from .resync import Resync
    from .settings import Settings
    from .upstream import Upstream, Upstreams

_HOMES = {
    "TWS": "client.tws",
    "AlreadyWrapped": "errors",
    "Backoff": "resources.resource",
    "BadAnswer": "errors",
    "Breaker": "breaker.breaker",
    "BreakerLimits": "breaker.limits",
    "BreakerMiddleware": "breaker.middleware",
    "BreakerOpen": "errors",
    "Bulkhead": "client.bulkhead",
    "BulkheadFull": "errors",
    "BreakerRule": "breaker.rules",
    "Cache": "cache.cache",
    "CacheMiddleware": "cache.middleware",
    "CacheOptions": "cache.options",
    "CacheRule": "cache.rules",
    "ClientOptions": "client.options",
    "DeadlineExceeded": "errors",
    "Degradable": "resources.degradable",
    "Delivery": "cache.undelivered",
    "Edge": "resources.graph",
    "Fallback": "breaker.fallback",
    "Graph": "resources.graph",
    "Health": "resources.health",
    "MemoryStore": "cache.memory",
    "MissingExtra": "errors",
    "Node": "resources.graph",
    "RedisStore": "cache.l2.store",
    "Resource": "resources.resource",
    "ResourceFailed": "errors",
    "ResourceUnavailable": "errors",
    "Resync": "resync",
    "ResyncError": "errors",
    "RetryBudget": "client.budget",
    "RetryPolicy": "client.schedule",
    "RuleError": "errors",
    "Settings": "settings",
    "SettingsError": "errors",
    "Store": "cache.store",
    "StoredResponse": "cache.entry",
    "TieredStore": "cache.tiered",
    "Upstream": "upstream",
    "Upstreams": "upstream",
    "cache_for": "cache.marker",
    "deadline": "_deadline",
    "retrying_transport": "client.transport",
}

__all__ = [
    "TWS",
    "AlreadyWrapped",
    "Backoff",
    "BadAnswer",
    "Breaker",
    "BreakerLimits",
    "BreakerMiddleware",
    "BreakerOpen",
    "BreakerRule",
    "Bulkhead",
    "BulkheadFull",
    "Cache",
    "CacheMiddleware",
    "CacheOptions",
    "CacheRule",
    "ClientOptions",
    "DeadlineExceeded",
    "Degradable",
    "Delivery",
    "Edge",
    "Fallback",
    "Graph",
    "Health",
    "MemoryStore",
    "MissingExtra",
    "Node",
    "RedisStore",
    "Resource",
    "ResourceFailed",
    "ResourceUnavailable",
    "Resync",
    "ResyncError",
    "RetryBudget",
    "RetryPolicy",
    "RuleError",
    "Settings",
    "SettingsError",
    "Store",
    "StoredResponse",
    "TieredStore",
    "Upstream",
    "Upstreams",
    "cache_for",
    "deadline",
    "events",
    "retrying_transport",
    "telemetry",
]


def __getattr__(name: str) -> object:
    if name in ("events", "telemetry"):
        return importlib.import_module("." + name, __name__)
    if name in _HOMES:
        value = getattr(importlib.import_module("." + _HOMES[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
