"""Upstreams as the settings make them: every name there is, each with its breaker's limits. It calls nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._asgi import Clock
from ..breaker.limits import BreakerLimits
from ..client.budget import RetryBudget
from ..client.bulkhead import Bulkhead
from ..client.options import ClientOptions
from ..client.schedule import RetryPolicy
from ..events import Listener
from ..upstream import TWS_HEALTH, TWS_ROOT, Upstream, spelled
from .model import Settings
from .upstream import UpstreamSettings

KNOWN_UPSTREAMS = ("redis", "tws")
"""Those that are there without being named anywhere."""


def breaker_limits(settings: UpstreamSettings, given: BreakerLimits | None) -> BreakerLimits:
    """Return the limits of one breaker: what an operator chose, then what the code says, then the defaults."""
    values: dict[str, Any] = {
        "fail_max": settings.fail_max,
        "reset_timeout": settings.reset_timeout,
        "max_open_time": settings.max_open_time,
        "failure_rate": settings.failure_rate or None,
        "minimum_calls": settings.minimum_calls,
        "window": settings.window,
        "slow_call": settings.slow_call,
        "slow_call_rate": settings.slow_call_rate,
        "probes": settings.probes,
        "successes": settings.successes,
        "probe_timeout": settings.probe_timeout,
    }
    if given is None:
        return BreakerLimits(**values)
    chosen = {name: value for name, value in values.items() if name in settings.given}
    if "reset_timeout" in chosen and given.max_open_time is not None:
        # An operator's time is no shorter for a cap in the code that did not know of it.
        chosen.setdefault("max_open_time", max(given.max_open_time, settings.reset_timeout))
    return replace(given, **chosen)


_HTTP = (
    "connect_timeout", "read_timeout", "write_timeout", "pool_timeout", "max_connections", "max_keepalive", "verify",
    "ca_file", "health_path", "deadline_header",
)  # fmt: skip
_CREDENTIALS = ("user", "password", "token")
_RETRIES = {
    "attempts": "retry_attempts",
    "backoff": "retry_backoff",
    "backoff_max": "retry_backoff_max",
    "retry_after_max": "retry_after_max",
    "timeout": "total_timeout",
}


def client_options(settings: UpstreamSettings, given: ClientOptions) -> ClientOptions:
    """Return what clients are made with: what an operator chose, then what the code says. Credentials go together."""
    chosen = _chosen(settings, {name: name for name in _HTTP})
    credentials = _chosen(settings, {name: name for name in _CREDENTIALS})
    if credentials:
        chosen |= dict.fromkeys(_CREDENTIALS) | credentials
    return replace(given, **chosen)


def retry_policy(settings: UpstreamSettings, given: RetryPolicy | None) -> RetryPolicy:
    """Return how often clients try: what an operator chose, then what the code says, then the defaults."""
    return replace(given if given is not None else RetryPolicy(), **_chosen(settings, _RETRIES))


def retry_budget(settings: UpstreamSettings, given: RetryBudget) -> RetryBudget:
    """Return *given* itself, unless an operator chose another share or floor."""
    chosen = _chosen(settings, {"share": "retry_share", "floor": "retry_floor"})
    own = {"share": given.share, "floor": given.floor, "window": given.window}
    return RetryBudget(**{**own, **chosen}) if chosen else given


def bulkhead(settings: UpstreamSettings, given: Bulkhead | None, name: str) -> Bulkhead | None:
    """Return *given* itself, unless an operator chose otherwise; None where any number of calls may be under way."""
    chosen = _chosen(settings, {"limit": "max_calls", "queue": "max_waiting"})
    own = {} if given is None else {"limit": given.limit, "queue": given.queue}
    wanted = {**own, **chosen}
    return Bulkhead(**wanted, upstream=name) if chosen and "limit" in wanted else given


def _chosen(settings: UpstreamSettings, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what an operator chose, by the names of arguments that the fields in *names* are for."""
    values = {name: getattr(settings, of) for name, of in names.items() if of in settings.given}
    return {name: value for name, value in values.items() if value is not None}


def _at_root(tws: Upstream) -> Upstream:
    """Return *tws* as an address of the environment is meant: of the host, without the path that is always the same."""
    health = tws.http.health_path or TWS_HEALTH
    return replace(tws, root=tws.root or TWS_ROOT, http=replace(tws.http, health_path=health))


def coded(given: Mapping[str, Upstream], settings: Settings) -> dict[str, Upstream]:
    """Return all upstreams as the code has them: those *given*, those that *settings* name, and those always known."""
    upstreams = dict(given)
    for name in (*settings.upstreams, *KNOWN_UPSTREAMS):
        if spelled(name) not in {spelled(known) for known in upstreams}:
            upstreams[name] = Upstream.tws() if spelled(name) == "tws" else Upstream(name)
    for name, upstream in upstreams.items():
        if spelled(name) == "tws" and "url" in settings.upstream(name).given:
            upstreams[name] = _at_root(upstream)
    return upstreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What settings make of an upstream, beside its URL."""

    limits: BreakerLimits
    http: ClientOptions
    retries: RetryPolicy
    budget: RetryBudget
    bulkhead: Bulkhead | None


def figures(upstream: Upstream, settings: UpstreamSettings) -> Figures:
    """Return what *settings* make of *upstream*, which is as the code has it. Raises RuleError if they do not fit."""
    return Figures(
        limits=breaker_limits(settings, upstream.limits),
        http=client_options(settings, upstream.http),
        retries=retry_policy(settings, upstream.retries),
        budget=retry_budget(settings, upstream.budget),
        bulkhead=bulkhead(settings, upstream.bulkhead, upstream.name),
    )


def configured(
    upstreams: Mapping[str, Upstream], settings: Settings, *, on_event: Listener | None, clock: Clock
) -> Iterator[Upstream]:
    """Return *upstreams*, which are all as the code has them, as *settings* make them.

    *clock* gives seconds since the epoch. Breakers go by it too if it is not the system's: a test turns one clock.
    """
    steady = time.monotonic if clock is time.time else clock
    for name, upstream in upstreams.items():
        room = settings.upstream(name)
        made = figures(upstream, room)
        yield upstream.configured(
            limits=made.limits,
            url=room.url if "url" in room.given else upstream.url,
            http=made.http,
            retries=made.retries,
            budget=made.budget,
            bulkhead=made.bulkhead,
            on_event=on_event,
            clock=steady,
            wall=clock,
        )
