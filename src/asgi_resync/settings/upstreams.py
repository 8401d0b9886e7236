"""Upstreams as the settings make them: every name there is, each with its breaker's limits. It calls nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .._asgi import Clock
from ..breaker.limits import BreakerLimits
from ..events import Listener
from ..upstream import Upstream, spelled
from .model import Settings, UpstreamSettings

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


def configured(
    given: Mapping[str, Upstream], settings: Settings, *, on_event: Listener | None, clock: Clock
) -> Iterator[Upstream]:
    """Return all upstreams there are: those *given*, those of *settings*, and those that are always known.

    *clock* gives seconds since the epoch. Breakers go by it too if it is not the system's: a test turns one clock.
    """
    upstreams = dict(given)
    for name in (*settings.upstreams, *KNOWN_UPSTREAMS):
        if spelled(name) not in {spelled(known) for known in upstreams}:
            upstreams[name] = Upstream(name)
    steady = time.monotonic if clock is time.time else clock
    for name, upstream in upstreams.items():
        room = settings.upstream(name)
        yield upstream.configured(
            limits=breaker_limits(room, upstream.limits),
            url=room.url if "url" in room.given else upstream.url,
            on_event=on_event,
            clock=steady,
            wall=clock,
        )
