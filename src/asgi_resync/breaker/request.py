"""One request through `BreakerMiddleware`: answered before the app runs, or run, booked, and answered in its place.

It never holds a message back: the start of a response is decided on when it comes, and everything else passes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from .._asgi import Message, Receive, Scope, Send
from ..errors import BreakerOpen
from ..events import DegradedAnswer
from .fallback import degraded, problem
from .outcome import is_neutral
from .route import RouteNotes
from .rulebook import Ruled

if TYPE_CHECKING:
    from .middleware import BreakerMiddleware

CACHES = "asgi_resync.caches"
"""Where in a scope the caches that are around say so."""

NONE: frozenset[str] = frozenset()

_log = logging.getLogger("asgi_resync")


class GuardedRequest:
    """One request. *ruled* is the rule that applies, None where none does."""

    __slots__ = (
        "_has_answered",
        "_has_started",
        "_middleware",
        "_notes",
        "_receive",
        "_rule",
        "_ruled",
        "_scope",
        "_send",
        "_without",
    )

    def __init__(
        self, middleware: BreakerMiddleware, ruled: Ruled | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._middleware = middleware
        self._ruled = ruled
        self._rule = ruled.rule if ruled is not None else None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._notes = RouteNotes()
        self._without = NONE
        """The upstreams without which the route was let run."""
        self._has_started = False
        self._has_answered = False
        """Whether we answered in the app's place; what it still says is for nobody."""

    async def serve(self) -> None:
        """Answer before the app runs, or run it. Raises what the app raises, unless that was answered."""
        missing = self._enter()
        if missing:
            await self._answer(missing)
            return
        notes = self._notes
        notes.open()
        try:
            await self._middleware.app(self._scope, self._receive, self.send)
        except Exception as error:
            if not await self._crashed(error):
                raise
        finally:
            notes.close()
            if notes.permits:
                self._withdraw()

    async def send(self, message: Message) -> None:
        """Take one message from the app."""
        if self._has_answered:
            return
        if not self._has_started and message["type"] == "http.response.start":
            status: int = message["status"]
            notes = self._notes
            missing = notes.refused | self._without if notes.refused or self._without else NONE
            if self._rule is not None:
                self._book(status)
            if status >= 500:
                failed = missing or self._failed_by(status)
                if missing or self._stands_in(failed):
                    await self._take_over(missing, failed)
                    return
            elif missing:
                if self._rule is None:
                    self._middleware.learn(self._scope, ())
                message = degraded(message, missing)
            self._has_started = True
        await self._send(message)

    def _enter(self) -> frozenset[str]:
        """Ask for admission. Returns the upstreams for want of which the route is not to run."""
        middleware, rule, notes = self._middleware, self._rule, self._notes
        if rule is None:
            needed = middleware.needs(self._scope)
            return frozenset(name for name in needed if not middleware.upstreams[name].breaker.is_admitting)
        missing = set()
        for name in rule.upstreams:
            permit = middleware.upstreams[name].breaker.ask()
            if permit is None:
                missing.add(name)
            else:
                notes.permits[name] = permit
        if not missing:
            return NONE
        if rule.policy == "critical":
            self._withdraw()
            return frozenset(missing)
        self._without = frozenset(missing)
        return NONE

    def _withdraw(self) -> None:
        """Give back what was cancelled, or has gone without an answer."""
        for permit in self._notes.permits.values():
            permit.withdrawn()

    def _book(self, outcome: int | Exception) -> None:
        """Say of the upstreams that the handler did not call itself what its answer says of them."""
        notes = self._notes
        permits, notes.permits = notes.permits, {}
        own_calls: set[str] = set()
        if self._ruled is not None:
            own_calls = self._ruled.own_calls
            own_calls |= {name for name in self._ruled.rule.upstreams if name not in permits} - (
                notes.refused | self._without
            )
        for name, permit in permits.items():
            if notes.refused or self._without:
                # It failed, or was made, for want of another one.
                permit.withdrawn()
            elif isinstance(outcome, Exception):
                permit.raised(outcome)
            elif outcome >= 500:
                permit.answered(outcome)
            elif name in own_calls:
                # It calls the upstream itself, and has not: what it refuses, or knows by heart, says nothing of that.
                permit.withdrawn()
            else:
                permit.succeeded()

    def _failed_by(self, outcome: int | Exception) -> frozenset[str]:
        """Return the upstreams that the route needs, if *outcome* may be theirs."""
        if self._rule is None or (isinstance(outcome, Exception) and is_neutral(outcome)):
            return frozenset()
        upstreams = self._middleware.upstreams
        names = self._rule.upstreams
        if isinstance(outcome, Exception):
            return frozenset(name for name in names if upstreams[name].breaker.is_error(outcome))
        return frozenset(name for name in names if upstreams[name].breaker.is_failed_status(outcome))

    def _stands_in(self, names: Collection[str]) -> bool:
        """Return whether something stands in for *names*."""
        return bool(names) and self._middleware.fallback(self._ruled, sorted(names)) is not None

    async def _crashed(self, error: Exception) -> bool:
        """The app raised; True if its client was answered all the same."""
        open_ones = {opened.upstream for opened in _breakers_open(error)}
        if self._has_answered:
            if not open_ones:
                _log.error("The app raised; its client was answered without an upstream.", exc_info=error)
            return True
        self._notes.refused |= open_ones
        self._book(error)
        if self._has_started:
            return False
        missing = self._notes.refused | self._without
        failed = missing or self._failed_by(error)
        if not missing and not self._stands_in(failed):
            return False
        if not open_ones:
            # The server would have logged it: whoever runs the app must still learn what broke.
            _log.error("The app raised; its client is answered without an upstream.", exc_info=error)
        await self._take_over(missing, failed)
        return True

    async def _take_over(self, missing: Collection[str], failed: Collection[str]) -> None:
        if self._rule is None:
            self._middleware.learn(self._scope, missing)
        await self._answer(failed)

    async def _answer(self, names: Collection[str]) -> None:
        """Answer for want of *names*: with what stands in for them, else with 503."""
        self._has_answered = True
        middleware = self._middleware
        known = [middleware.upstreams[name] for name in names if name in middleware.upstreams]
        retry_after = max((upstream.breaker.retry_after for upstream in known), default=0.0)
        fallback = middleware.fallback(self._ruled, sorted(names))
        has_started = False
        has_cache = bool(self._scope.get(CACHES))

        async def send(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                message = degraded(message, names, stands_in=has_cache)
            await self._send(message)

        if fallback is not None:
            try:
                await fallback(self._scope, self._receive, send)
            except Exception:
                if has_started:
                    raise
                _log.exception("A fallback raised; its client gets 503.")
        by = "fallback" if has_started else "refusal"
        if not has_started:
            await problem(retry_after)(self._scope, self._receive, send)
        if middleware.emit is not None:
            route = self._rule.pattern if self._rule is not None else ""
            for name in sorted(names):
                middleware.emit(DegradedAnswer(upstream=name, route=route, by=by))


def _breakers_open(error: BaseException | None, depth: int = 16) -> Iterator[BreakerOpen]:
    """Find the rejections that *error* is, holds, or came of."""
    while error is not None and depth > 0:
        if isinstance(error, BreakerOpen):
            yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _breakers_open(member, depth - 1)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        depth -= 1
