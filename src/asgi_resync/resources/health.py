"""How an app is, as values whose JSON is stable: names are added to it, none is changed or taken away. Pure.

`status` is `up`, `degraded` or `down`: down if something critical is not up, and degraded if anything else is not, or a
breaker is open. An app that is degraded is ready: it answers, if with less.

No part of it holds a secret, an address or a text of another service: what failed is told by the name of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from ..breaker.report import BreakerReport
from .resource import Resource
from .standing import Standing

if TYPE_CHECKING:
    from ..cache.memory import MemoryStats

Status: TypeAlias = Literal["up", "degraded", "down"]

OPEN = ("open", "half-open", "forced-open")
"""States of a breaker in which calls are refused."""


class ResourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a resource stands: see `Standing`. `critical` if the app is not ready without it."""

    state: str
    critical: bool
    since: float | None
    attempts: int
    cause: str | None
    latency: float | None
    depends_on: tuple[str, ...]


class BreakerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the breaker of an upstream stands, with the calls of its window; `retry_after` in seconds."""

    state: str
    calls: int
    failures: int
    retry_after: float


class MemoryHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What this process's memory holds, and may."""

    entries: int
    bytes: int
    max_entries: int
    max_bytes: int


class CacheHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The tiers: `l1` is this process's memory, `l2` is Redis: `up`, `down`, or None where there is none."""

    l1: MemoryHealth
    l2: str | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an app is at the time `at`, in seconds since the epoch, with everything it knows by name.

    `impact` has for each resource that is not up, and each upstream that is refused, what depends on it, by kind.
    """

    status: Status
    ready: bool
    at: float
    resources: dict[str, ResourceHealth]
    breakers: dict[str, BreakerHealth]
    cache: CacheHealth
    impact: dict[str, dict[str, tuple[str, ...]]] = {}


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the app can serve, and the critical resources for which it `waits_for`."""

    status: Status
    ready: bool
    waits_for: tuple[str, ...]


def health_of(
    resources: Iterable[Resource],
    standings: Mapping[str, Standing],
    required: frozenset[str],
    *,
    breakers: Iterable[BreakerReport],
    memory: MemoryStats,
    has_l2: bool,
    now: float,
) -> Health:
    """Return how all of it is together; *required* are the names of the resources that are critical."""
    found = {
        resource.name: _of_resource(resource, standings[resource.name], critical=resource.name in required)
        for resource in resources
    }
    switches = {report.upstream: _of_breaker(report) for report in breakers}
    ready = all(found[name].state == "up" for name in required)
    whole = all(one.state == "up" for one in found.values()) and all(b.state not in OPEN for b in switches.values())
    return Health(
        status=("up" if whole else "degraded") if ready else "down",
        ready=ready,
        at=now,
        resources=found,
        breakers=switches,
        cache=CacheHealth(
            l1=MemoryHealth(
                entries=memory.entries,
                bytes=memory.bytes,
                max_entries=memory.max_entries,
                max_bytes=memory.max_bytes,
            ),
            l2=("up" if standings["redis"].is_up else "down") if has_l2 else None,
        ),
    )


def with_impact(health: Health, impact: Callable[[str], Mapping[Any, tuple[str, ...]]]) -> Health:
    """Return *health* with what *impact* says of all that is out."""
    out = [name for name, one in health.resources.items() if one.state != "up"]
    out += [name for name, one in health.breakers.items() if one.state in OPEN and name not in out]
    if not out:
        return health
    return msgspec.structs.replace(health, impact={name: dict(impact(name)) for name in out})


def readiness_of(health: Health) -> Readiness:
    """Return what a load balancer needs to know of *health*."""
    missing = tuple(name for name, one in health.resources.items() if one.critical and one.state != "up")
    return Readiness(status=health.status, ready=health.ready, waits_for=missing)


def _of_resource(resource: Resource, standing: Standing, *, critical: bool) -> ResourceHealth:
    return ResourceHealth(
        state=standing.state,
        critical=critical,
        since=standing.since,
        attempts=standing.attempts,
        cause=standing.cause,
        latency=standing.latency,
        depends_on=tuple(resource.depends_on),
    )


def _of_breaker(report: BreakerReport) -> BreakerHealth:
    return BreakerHealth(
        state=report.state, calls=report.calls, failures=report.failures, retry_after=report.retry_after
    )
