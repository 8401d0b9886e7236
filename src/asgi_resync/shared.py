"""Shares what breakers know between processes. It decides nothing: each breaker makes of it what it will.

Only what calls have shown is told: neither what another process said, nor what an operator forced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from .breaker.breaker import Breaker
from .breaker.state import Heard, State
from .events import BreakerChanged, Event
from .settings import Settings
from .settings.upstream import REDIS
from .upstream import Upstreams

_HEARSAY = ("heard", "operator")
_TOLD = (State.CLOSED, State.OPEN, State.HALF_OPEN)


class Sharing(Protocol):
    """What carries it: it is given what looks at a breaker and what hears of one, and returns what posts a change."""

    def __call__(
        self, look: Callable[[str], tuple[str, float] | None], hear: Callable[[str, str, float], None]
    ) -> Callable[[str], None]: ...


class SharedBreakers:
    """The breakers of one process that share what they know, by the names of their upstreams."""

    def __init__(self, breakers: Mapping[str, Breaker], share: Sharing) -> None:
        self._breakers = breakers
        self._post = share(self.look, self.hear)
        for breaker in breakers.values():
            breaker.listen(self._told)

    def look(self, upstream: str) -> tuple[str, float] | None:
        """Return what is to be told of *upstream* as it stands now; None if nothing is."""
        breaker = self._breakers[upstream]
        state = breaker.state
        if state not in _TOLD:
            return None
        return state.value, breaker.limits.probe_timeout if state is State.HALF_OPEN else breaker.retry_after

    def hear(self, upstream: str, state: str, open_for: float) -> None:
        """Let the breaker of *upstream* hear what another process says. What is not known here is ignored."""
        breaker = self._breakers.get(upstream)
        if breaker is not None and state in _TOLD:
            breaker.hear(Heard(state=State(state), open_for=open_for))

    def _told(self, event: Event) -> None:
        if isinstance(event, BreakerChanged) and event.cause not in _HEARSAY:
            self._post(event.upstream)


def share_breakers(upstreams: Upstreams, settings: Settings, share: Sharing) -> SharedBreakers:
    """Share the breakers of *upstreams*, but those that *settings* keep to themselves, and that of what carries it."""
    shared = {
        name: upstream.breaker
        for name, upstream in upstreams.items()
        if name != REDIS and settings.upstream(name).shared
    }
    return SharedBreakers(shared, share)
