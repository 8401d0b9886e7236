"""Breakers as ASGI middleware: routes that need an upstream that is open are answered before they run.

It looks at the start of a response and at exceptions; bodies, websockets and everything else it passes on as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from .._asgi import AnyASGIApp, ASGIApp, Clock, Receive, Scope, Send
from .._rulebook import LONGEST_PATH, MAX_PATHS
from ..errors import RuleError
from ..events import Listener, guarded
from ..learned import Learned
from .breaker import Breaker
from .fallback import fallback_app
from .request import GuardedRequest
from .rulebook import BreakerRuleBook, Ruled
from .rules import BreakerRule

LEARNED_FOR = 600.0
"""Seconds for which a route is taken to need what it failed without: then it runs once more, and may have changed."""


class Guarded(Protocol):
    """An upstream as this middleware knows it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def breaker(self) -> Breaker:
        """What guards it."""

    @property
    def fallback(self) -> object:
        """What stands in for it, None for nothing."""


class BreakerMiddleware:
    """Wrap *app* so that the outage of one of *upstreams* is answered at once, and the same everywhere.

    *rules* are tried in order, and the first that matches path and method applies. Where a rule applies and the handler
    does not call the upstream through its breaker itself, the response is the upstream's outcome: an exception, or a
    status of 500 and above that the breaker counts, is a failure. Routes without a rule are learned: those that failed
    since an upstream did not admit their call, for ten minutes each time. With *only_by_rules* requests pass untouched
    as long as there is no rule. *clock* gives seconds, and goes forward.

    Degraded answers have `Resync-Degraded: <upstream>`, and `Cache-Control: no-store`. Raises RuleError for arguments
    that cannot work, such as a rule for an upstream that is not there.
    """

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        upstreams: Mapping[str, Guarded] | Iterable[Guarded],
        rules: Iterable[BreakerRule] | BreakerRuleBook = (),
        only_by_rules: bool = False,
        on_event: Listener | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        given = upstreams.values() if isinstance(upstreams, Mapping) else upstreams
        self.app = app
        self.upstreams = {upstream.name: upstream for upstream in given}
        self._only_by_rules = only_by_rules
        self._book = rules if isinstance(rules, BreakerRuleBook) else BreakerRuleBook(rules)
        self.emit = guarded(on_event) if on_event is not None else None
        for rule in self.rules:
            for name in rule.upstreams:
                if name not in self.upstreams:
                    raise RuleError("upstreams", name, f"add Upstream({name!r}) to upstreams")
        self._fallbacks = {name: fallback_app(upstream.fallback) for name, upstream in self.upstreams.items()}
        self._clock = clock
        self._learned: Learned[tuple[str, str], str] = Learned(most=MAX_PATHS, lifetime=LEARNED_FOR)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope; anything but HTTP goes to the app untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        current = self._book.current
        if self._only_by_rules and not current.rules:
            await self.app(scope, receive, send)
            return
        ruled = current.first_for(scope, scope["method"]) if current.rules else None
        if ruled is not None and ruled.rule.policy == "read-only":
            await self.app(scope, receive, send)
            return
        await GuardedRequest(self, ruled, scope, receive, send).serve()

    @property
    def rules(self) -> tuple[BreakerRule, ...]:
        """The rules that are in force."""
        return self._book.rules

    def fallback(self, ruled: Ruled | None, names: Iterable[str]) -> ASGIApp | None:
        """Return what stands in for the upstreams *names* on a route: the rule's, else the first of theirs."""
        app = ruled.fallback if ruled is not None else None
        return app or next((app for name in names if (app := self._fallbacks.get(name)) is not None), None)

    def needs(self, scope: Scope) -> frozenset[str]:
        """Return the upstreams that a route without a rule was found to need."""
        if not self._learned:
            return frozenset()
        return self._learned.needed_by((scope["method"], scope["path"]), self._clock())

    def learn(self, scope: Scope, names: Iterable[str]) -> None:
        """Remember that the route fails without *names*, or that it does not."""
        place = (scope["method"], scope["path"])
        found = [name for name in names if name in self.upstreams]
        self._learned.forget(place)
        if len(place[1]) <= LONGEST_PATH:
            self._learned.note(place, found, self._clock())
