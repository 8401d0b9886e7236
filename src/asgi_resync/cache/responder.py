"""One request that memory could not answer at once: it looks, validates, joins or calls, as policy decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, TypeAlias

from .._asgi import ASGIApp, RawHeaders, Receive, Scope, Send
from ..events import CacheKey, CacheMiss
from .asked import Asked
from .asking import ask
from .cache import REFRESH_PAUSE, Cache
from .claims import Claims
from .delivery import Reason
from .entry import StoredResponse
from .exchange import Exchange
from .flight import MAX_ATTEMPTS, Flight, FlightKey
from .follow import Brought, follow
from .forward import adding, consume_target
from .head import watch_head
from .keys import UNKEYED, unkeyed_of, variant_of
from .lead import flown, lead, shared_receive
from .lookup import Found, candidates_for, look_up
from .policy.control import RequestControl, request_control
from .policy.reuse import AskApp, Fresh, ServeStale, reuse
from .policy.validation import PRECONDITIONS
from .refresh import refresh
from .replies import Replies
from .rules import Terms
from .standby import call_with_standby, may_stand_in
from .status import forward_member
from .turn import claim_key, take_turn

Special: TypeAlias = Mapping[bytes, bytes]
"""The request fields that change what may be done, by name."""

UNASKED_SECONDS = 2.0
"""Length of a round of waiting for what nobody said may be shared: after each, twice as many may go as before."""
MAX_HOPS = 4
"""An app that varies on ever other fields sends those who wait from flight to flight; after that many they go alone."""

NO_SPECIAL: Special = {}


class Responder:
    """Answers one GET or HEAD, or a POST or QUERY whose body is in the key. Made per request, used once."""

    __slots__ = (
        "_app", "_attempt", "_body", "_cache", "_conditional", "_control", "_epoch", "_forward", "_found_key",
        "_headers", "_is_absent", "_key", "_method", "_receive", "_replies", "_rule", "_scope", "_send", "_special",
        "_unkeyed",
    )  # fmt: skip

    def __init__(
        self,
        app: ASGIApp,
        cache: Cache,
        rule: Terms | None,
        key: CacheKey,
        special: Special,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        body: bytes = b"",
    ) -> None:
        self._app = app
        self._body = body
        self._cache = cache
        self._rule = rule
        self._key = key
        self._special = special
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._headers: RawHeaders = scope["headers"]
        self._epoch = cache.ledger.version
        self._control: RequestControl | None = None
        self._conditional = False
        self._forward = "uri-miss"
        self._attempt = 1
        self._is_absent = False
        self._unkeyed = () if UNKEYED.isdisjoint(special) else unkeyed_of(self._headers)
        self._found_key: FlightKey = (key, (), self._unkeyed)
        self._replies = Replies(cache, key, self._method, self._headers, send)

    async def respond(self) -> None:
        """Answer the request. Raises what the app raises."""
        cache = self._cache
        directives: RequestControl | None = None
        if self._special:
            self._conditional = b"range" in self._special or not PRECONDITIONS.isdisjoint(self._special)
            self._replies.is_conditional = self._conditional
            if b"cache-control" in self._special or b"pragma" in self._special:
                directives = request_control(self._headers)
                if cache.options.honours_client:
                    self._control = directives
        now = cache.clock()
        found = await self._look_up()
        entry, marked = found.entry, found.marked_stale_at
        self._forward, self._found_key, self._is_absent = found.forward, found.flight_key, found.is_absent
        candidates: tuple[StoredResponse, ...] = ()
        fallback: StoredResponse | None = None
        if entry is not None:
            decision = reuse(entry, now, self._control, marked_stale_at=marked)
            match decision:
                case Fresh():
                    await self._replies.hit(entry, found.tier, now)
                    return
                case ServeStale(reason=reason, refresh=refresh):
                    # §5.2.1.5: what a request that forbids storing brings is not for the store.
                    if refresh and not (directives is not None and directives.no_store):
                        self._refresh(entry)
                    await self._replies.stale(entry, reason, now)
                    return
                case AskApp(forward=forward):
                    self._forward = forward
            if self._may_fall_back(entry):
                fallback = entry
            candidates = await self._candidates(entry)
        elif self._forward == "vary-miss":
            candidates = await self._candidates(None)
        if directives is not None and directives.only_if_cached:
            await self._replies.gateway_timeout()
            return
        if directives is not None and directives.no_store:
            # §5.2.1.5: the answer to a request that forbids it is not stored.
            await self._pass(self._told(self._send, "no-store"), fallback)
        elif self._method == "HEAD":
            authorized = b"authorization" in self._special
            told = self._told(self._send)
            await self._pass(watch_head(cache, self._key, entry, self._rule, told, authorized=authorized), fallback)
        elif b"range" in self._special:
            # Asked as the client asks: a part is passed on, and an app that answers with the whole fills the store.
            self._missed()
            await self._exchange(None, (), fallback).run(self._app, self._scope, self._receive)
        elif self._goes_alone(now, entry):
            self._missed()
            await self._ask(self._exchange(None, candidates, fallback), self._receive)
        else:
            await self._join(candidates, fallback)

    async def _look_up(self) -> Found:
        authorized = b"authorization" in self._special
        return await look_up(self._cache, self._key, self._headers, self._unkeyed, authorized=authorized)

    async def _pass(self, send: Send, fallback: StoredResponse | None) -> None:
        """Call the app and keep nothing; *fallback* answers in place of an error."""
        self._missed()

        async def stand_in(cause: str, own: RawHeaders) -> bool:
            if fallback is None or not self._may_fall_back(fallback):
                return False
            await self._replies.stand_in(fallback, cause, own)
            return True

        await call_with_standby(self._app, self._scope, self._receive, consume_target(send), stand_in)

    def _told(self, send: Send, detail: str | None = None) -> Send:
        """Return a `send` that says why the app was asked, where a rule wants the path cached."""
        name = self._cache.options.status_name(self._key) if self._rule is not None else None
        return send if name is None else adding(send, forward_member(name, self._forward, detail=detail))

    def _missed(self) -> None:
        if self._cache.emit is not None:
            route = getattr(self._rule, "pattern", "")
            self._cache.emit(CacheMiss(key=self._key, route=route, reason=self._forward))

    def _goes_alone(self, now: float, entry: StoredResponse | None) -> bool:
        if b"authorization" in self._special or self._cache.passing.holds(self._key, now):
            return True
        if entry is not None and (entry.always_validate or not (entry.lifetime or entry.stale_while_revalidate)):
            # What the app says to another is no answer to this request (§5.2.2.4), so it is not waited for.
            return True
        if self._control is not None and self._control.no_cache:
            # It wants the app's own word, not that of a call which began before it.
            return True
        # Without a rule nobody knows yet that this is ours to cache, so the client's own question goes to the app.
        return self._conditional and self._rule is None

    def _variant(self, names: tuple[bytes, ...]) -> tuple[object, ...]:
        normalize = self._cache.options.normalize_vary
        return variant_of(self._headers, names, normalize=normalize, unkeyed=self._unkeyed)

    async def _candidates(self, entry: StoredResponse | None) -> tuple[StoredResponse, ...]:
        if self._rule is not None and not self._rule.revalidate:
            return ()
        if self._method == "POST":
            # RFC 9110 §13.1.2: to a POST, If-None-Match that matches makes 412, and never 304.
            return ()
        return await candidates_for(self._cache, self._key, entry)

    async def _reply(self, entry: StoredResponse, reason: Reason, own: RawHeaders) -> None:
        if reason == "if-error":
            await self._replies.stale(entry, reason, self._cache.clock(), own)
        else:
            await self._replies.validated(entry, own, self._forward, stored=reason == "validated")

    # Calls of the app

    def _exchange(
        self,
        flight: Flight[StoredResponse] | None,
        candidates: tuple[StoredResponse, ...],
        fallback: StoredResponse | None,
        *,
        relief: Flight[StoredResponse] | None = None,
        background: bool = False,
    ) -> Exchange:
        return Exchange(
            self._cache,
            self._rule,
            self._asked(),
            method=self._method,
            client=None if background else self._send,
            reply=None if background else self._reply,
            flight=flight,
            relief=relief,
            candidates=candidates,
            fallback=fallback,
            may_fall_back=self._may_fall_back,
            forward=self._forward,
            conditional=self._conditional and not background,
        )

    def _asked(self) -> Asked:
        authorized = b"authorization" in self._special
        return Asked.now(self._cache, self._key, self._headers, authorized=authorized, unkeyed=self._unkeyed)

    async def _ask(self, exchange: Exchange, receive: Receive, scope: Scope | None = None) -> None:
        # What lately proved uncacheable is asked as the client asks, and so is what no rule names.
        is_ours = self._rule is not None and not self._cache.passing.holds(self._key, exchange.asked.request_time)
        asks_whole = self._conditional and is_ours
        scope = self._scope if scope is None else scope
        await ask(exchange, self._app, scope, receive, body=self._body, asks_whole=asks_whole)

    async def _join(self, candidates: tuple[StoredResponse, ...], fallback: StoredResponse | None) -> None:
        """Follow the flight under way for what is asked, or lead one."""
        cache = self._cache
        loop = asyncio.get_running_loop()
        key, hops, has_waited = self._found_key, 0, False
        relief: Flight[StoredResponse] | None = None
        while hops < MAX_HOPS:
            flight = cache.flights.find(key)
            if flight is None:
                if has_waited:
                    if await self._is_stored_meanwhile():
                        return
                    if cache.flights.find(key) is not None:
                        # Another looked as well, and was quicker.
                        continue
                self._missed()
                await self._lead(key, cache.flights.begin(key, loop, self._attempt), candidates, fallback)
                return
            if flight.loop is not loop:
                break
            outcome = await follow(key, flight, self._variant, self._patience)
            has_waited = True
            if isinstance(outcome, Brought):
                shared = await self._share(outcome)
                if shared == "answered":
                    return
                if shared == "alone":
                    break
                cache.flights.end(key, flight)
            elif outcome == "alone" or (outcome == "failed" and flight.attempt >= MAX_ATTEMPTS):
                break
            elif outcome == "late":
                relief = flight
                break
            elif outcome == "stalled":
                # The leader's client does not take what it asked for: the rest of the body may never come.
                cache.flights.end(key, flight)
            elif outcome == "failed":
                self._attempt = flight.attempt + 1
            else:
                key = outcome
                hops += 1
                self._forward = "vary-miss"
        self._missed()
        await self._ask(self._exchange(None, candidates, fallback, relief=relief), self._receive)

    @property
    def _patience(self) -> float | None:
        """How long a round of waiting is for a response of which nothing says that it may be shared; None if it does.

        A long poll that no rule names must not hold up the next for ever.
        """
        return None if self._rule is not None or self._forward != "uri-miss" else UNASKED_SECONDS

    async def _is_stored_meanwhile(self) -> bool:
        """Answer with what a successor has stored while this request waited, if anything."""
        found = await self._look_up()
        return found.entry is not None and await self._share(Brought(entry=found.entry)) == "answered"

    def _may_fall_back(self, entry: StoredResponse) -> bool:
        """Return whether *entry* may answer at this moment in place of an error."""
        return may_stand_in(self._cache, entry, self._control)

    async def _share(self, brought: Brought) -> Literal["answered", "alone", "outdated"]:
        """Answer with what a flight brought, if it may answer this request too."""
        entry, now = brought.entry, self._cache.clock()
        if brought.is_fallback:
            if not self._may_fall_back(entry):
                return "alone"
            await self._replies.stale(entry, "if-error", now, brought.own)
            return "answered"
        standing = self._cache.ledger.standing(entry)
        if standing != "good" and entry.epoch < self._epoch:
            # Purged after the app was asked and before this request came, which wants what is true since.
            return "outdated"
        match reuse(entry, now, self._control):
            case Fresh():
                await self._replies.collapsed(entry, self._forward, now)
            case ServeStale(reason=reason):
                await self._replies.stale(entry, reason, now)
            case AskApp():
                if not brought.is_timely or self._control is not None:
                    return "alone"
                if not brought.asked_first:
                    return "outdated"
                # The call took longer than its answer is fresh. But the app gave the answer after it was asked for, and
                # a validation could say no more (§4.3); the others are spared a stampede at an app that is slow.
                await self._replies.collapsed(entry, self._forward, now)
        return "answered"

    async def _lead(
        self,
        key: FlightKey,
        flight: Flight[StoredResponse],
        candidates: tuple[StoredResponse, ...],
        fallback: StoredResponse | None,
    ) -> None:
        exchange = self._exchange(flight, candidates, fallback)
        receive = shared_receive(self._receive, flight)
        if self._cache.claims is None:
            call = self._ask(exchange, receive)
        else:
            call = self._ask_in_turn(self._cache.claims, key, flight, exchange, receive)
        await lead(self._cache, exchange, flight, self._send, flown(self._cache, key, flight, call))

    def _is_fresh(self, found: Found) -> bool:
        if found.entry is None:
            return False
        now, marked = self._cache.clock(), found.marked_stale_at
        return isinstance(reuse(found.entry, now, self._control, marked_stale_at=marked), Fresh)

    async def _ask_in_turn(
        self, claims: Claims, key: FlightKey, flight: Flight[StoredResponse], exchange: Exchange, receive: Receive
    ) -> None:
        """Call the app when it is this process's turn, or answer with what another process has stored meanwhile."""

        turn = await take_turn(
            claims, key, self._patience, is_absent=self._is_absent, look=self._look_up, fits=self._is_fresh
        )
        if isinstance(turn, StoredResponse):
            exchange.stored = turn
            flight.land(turn)
            if exchange.delivery.client is not None:
                await self._replies.collapsed(turn, self._forward, self._cache.clock())
            return
        # The app is asked now: what was waited for its turn is no age of its answer.
        exchange.asked = self._asked()
        if turn is None:
            await self._ask(exchange, receive)
            return
        # At the moment it is clear how the call ends, not when the app has done what it does after its answer.
        flight.on_over = lambda: turn.end(is_stored=flight.state == "landed" and not flight.is_fallback)
        try:
            await self._ask(exchange, receive)
        finally:
            turn.end(is_stored=exchange.stored is not None)

    def _refresh(self, entry: StoredResponse) -> None:
        """Ask the app in the background, unless somebody does already (RFC 5861 §3)."""
        cache, loop = self._cache, asyncio.get_running_loop()
        if cache.flights.find(self._found_key) is not None or cache.clock() < entry.refresh_after:
            return
        self._forward = "stale"
        key, flight = self._found_key, cache.flights.begin(self._found_key, loop)
        cache.own(loop.create_task(flown(cache, key, flight, self._refreshed(key, entry, flight))))

    async def _refreshed(self, key: FlightKey, entry: StoredResponse, flight: Flight[StoredResponse]) -> None:
        claims = self._cache.claims
        claim = None if claims is None else await claims.claim(claim_key(key), 0, is_absent=False)
        if claims is not None and claim is None:
            # Another process refreshes it, and will tell that it has.
            entry.refresh_after = self._cache.clock() + REFRESH_PAUSE
            flight.turn_back()
            return
        exchange: Exchange | None = None
        try:
            exchange = self._exchange(flight, await self._candidates(entry), None, background=True)
            await refresh(exchange, entry, self._app, self._scope, self._body)
        finally:
            if claim is not None:
                claim.end(is_stored=exchange is not None and exchange.stored is not None)
