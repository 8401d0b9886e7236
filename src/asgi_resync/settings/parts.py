"""The running parts that settings reach, and how they get new ones, at once. It reads no environment and no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypedDict

from ..cache.cache import Cache
from ..cache.memory import HEADROOM, MemoryStore
from ..cache.options import CacheOptions
from ..cache.rules import CacheRule
from ..upstream import Upstream, Upstreams
from .logging_level import LoggingLevel
from .model import Settings
from .upstreams import figures

if TYPE_CHECKING:
    from ..cache.l2.tier import SecondTier


class Living(Protocol):
    """What has a shutdown that is bounded."""

    def bound_shutdown(self, seconds: float) -> None:
        """Take no longer than *seconds* over a stop that begins from now on."""


class HasRules(Protocol):
    """What has rules that the settings add to."""

    def adapting(self, rules: Sequence[CacheRule]) -> Callable[[], None]:
        """Return what has *rules* in force, which neither waits nor raises. Raises RuleError where they cannot be."""


def cache_options(settings: Settings) -> CacheOptions:
    """Return the part of *settings* that the cache needs."""
    cache = settings.cache
    return CacheOptions(
        name=cache.name,
        max_body=cache.max_body,
        max_variants=cache.max_variants,
        stale_while_revalidate=cache.stale_while_revalidate,
        stale_if_error=cache.stale_if_error,
        keep=cache.keep,
        refresh_timeout=cache.refresh_timeout,
        normalize_vary=cache.normalize_vary,
        status_field=cache.status_header,
        status_key=cache.status_key,
        etag=cache.etag,
        honours_client=cache.client_directives == "honour",
        heuristic=cache.heuristic,
        targets=tuple(name.lower().encode() for name in cache.targeted),
        set_cookie=cache.set_cookie,
    )


class Sizes(TypedDict):
    """What a MemoryStore is made with, and given anew."""

    shards: int
    max_entries: int
    max_bytes: int
    max_record: int


def memory_sizes(settings: Settings) -> Sizes:
    """Return the part of *settings* that L1 needs."""
    cache = settings.cache
    return {
        "shards": cache.num_shards,
        "max_entries": cache.l1_max_entries,
        "max_bytes": cache.l1_max_bytes,
        "max_record": cache.max_body + HEADROOM,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What runs. `coded` are the upstreams as the code has them, which settings override field by field."""

    cache: Cache
    memory: MemoryStore
    tier: SecondTier | None
    upstreams: Upstreams
    coded: Mapping[str, Upstream]
    life: Living
    ruling: HasRules
    level: LoggingLevel = field(default_factory=LoggingLevel)

    def adapting(self, settings: Settings) -> Callable[[], None]:
        """Return what gives all of them *settings*. Raises RuleError where they do not fit what the code says.

        What is returned neither waits nor raises, so that no request sees one half of it.
        """
        options, sizes, cache = cache_options(settings), memory_sizes(settings), settings.cache
        rule = self.ruling.adapting(cache.rules)
        made = {name: figures(upstream, settings.upstream(name)) for name, upstream in self.coded.items()}

        def adapt() -> None:
            self.cache.options = options
            rule()
            self.memory.resize(**sizes)
            if self.tier is not None:
                self.tier.adjust(
                    deadline=settings.redis.timeout,
                    near_ttl=cache.l1_ttl,
                    far_ttl=cache.l2_ttl,
                    jitter=cache.ttl_jitter,
                    max_body=cache.max_body,
                    lease=cache.lease,
                )
            for name, one in made.items():
                self.upstreams[name].adjust(
                    limits=one.limits, http=one.http, retries=one.retries, budget=one.budget, bulkhead=one.bulkhead
                )
            self.life.bound_shutdown(settings.shutdown_timeout)
            self.level.be(settings.log_level)

        return adapt
