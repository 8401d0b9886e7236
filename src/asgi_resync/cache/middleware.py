"""The cache as ASGI middleware: answers what memory holds, and hands everything else to a responder or the app.

Never in the way: what is not a request that a cache can answer goes to the app with the very same objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from .._asgi import AnyASGIApp, Message, RawHeaders, Receive, Scope, Send
from .._headers import values
from .._rulebook import route_path
from ..errors import RuleError
from ..events import CacheHit, CacheKey, CacheMiss
from .answer import age_fields
from .asked import Asked
from .cache import Cache
from .entry import StoredResponse
from .exchange import Exchange
from .forward import adding, consume_target
from .invalidator import Invalidator
from .keys import UNKEYED, effective_host, primary_key, raw_path_of, variant_key, variant_of, with_body
from .lead import flown, lead, shared_receive
from .passing import PassOn
from .policy.invalidation import SAFE_METHODS
from .policy.validation import PRECONDITIONS
from .responder import NO_SPECIAL, Responder
from .rulebook import CacheRuleBook, CacheRuleSet
from .rules import CacheRule
from .status import Forward, forward_member
from .store import Record, Variants

SPECIAL = PRECONDITIONS | UNKEYED | {
    b"authorization", b"cache-control", b"content-length", b"pragma", b"range", b"transfer-encoding",
}  # fmt: skip
"""Request fields that take a request off the shortest path."""

WATCHED = SPECIAL | {b"host"}
CONDITIONS = PRECONDITIONS - {b"if-range"}
NOT_FOR_BODIES = PRECONDITIONS | {b"content-length", b"range", b"transfer-encoding"}
"""Of the fields above, those that mean nothing to a POST or QUERY: only GET has ranges (RFC 9110 §14.2)."""

BODY_FIELDS = (b"content-type", b"content-encoding")
SEEN = "asgi_resync.caches"


class CacheMiddleware:
    """Wrap *app* so that responses which opted in are answered from *cache* (RFC 9111, RFC 5861, RFC 9211, RFC 9213).

    *rules* are tried in order, and the first that matches path and method applies; `resync.rules` are those in force,
    also when they change. Any number of middlewares may share a cache; a request that passes several of them is cached
    by the outermost. GET and HEAD of a path in *aside*, below where the app is mounted, go to the app without a look
    into any tier but memory. Raises RuleError for arguments that cannot work.
    """

    def __init__(
        self, app: AnyASGIApp, *, cache: Cache, rules: Iterable[CacheRule] = (), aside: Collection[str] = ()
    ) -> None:
        given: object = cache
        if not isinstance(given, Cache):
            raise RuleError("cache", given, "give a Cache, such as resync.cache")
        self.app = app
        self.cache = cache
        self._book = book = rules if isinstance(rules, CacheRuleBook) else CacheRuleBook(CacheRuleSet(rules))
        # What a hit needs, in one attribute: where a subclass has `__getattr__`, each one read costs 80 ns.
        self._hot = cache, cache.store.near, book, frozenset(aside)
        cache.holds_bodies = bool(cache.holds_bodies) or bool(book.current.body_methods)
        self._invalidator = Invalidator(cache, book)

    @property
    def rules(self) -> tuple[CacheRule, ...]:
        """The rules that are in force."""
        return self._book.current.rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope; anything but HTTP goes to the app untouched."""
        if scope["type"] != "http":
            await self.other_scope(scope, receive, send)
            return
        method = scope["method"]
        if method != "GET" and method != "HEAD":
            await self._other(scope, receive, send)
            return
        cache, near, book, aside = self._hot
        host: bytes | None = None
        special: dict[bytes, bytes] | None = None
        # One pass with a set: 2.5 µs in a server for 15 fields. Nothing tried takes less: not isdisjoint, nor
        # dict(headers), nor a comparison with what the client sent last.
        headers, watched = scope["headers"], WATCHED
        for name, value in headers:
            if name in watched:
                if name == b"host" and host is None:
                    host = value
                elif special is None:
                    special = {name: value}
                else:
                    special[name] = value
        path = scope["path"]
        try:
            query = scope["query_string"] or b""
        except KeyError:
            query = b""
        rule: CacheRule | None = None
        if query and (ruled := book.current).rules and (rule := ruled.first_for(scope, "GET")) is not None:
            query = rule.query_in_key(query)
        key: CacheKey
        try:
            if scope["root_path"]:
                key = primary_key(scope, host or b"", query)
            else:
                host_part = host.lower() if host else b""
                key = (scope["scheme"], host_part, scope["raw_path"] or raw_path_of(path), path, query)
        except KeyError:
            key = primary_key(scope, host or b"", query)
        record: Record | None = None
        if special is None:
            entry: StoredResponse | None = None
            try:
                record = near(key)
                if type(record) is StoredResponse:
                    entry = record
                elif record is not None:
                    entry = self._variant(record, headers)
            except Exception as error:
                # A store of the user's own: what it cannot say is a miss.
                cache.failed("store.near", error)
            if entry is not None and entry.vouched == cache.ledger.version:
                now = cache.clock()
                # Within one second of age the fields of a hit do not change.
                if now < entry.ready_until or self._make_ready(entry, now):
                    if cache.emit is not None:
                        cache.emit(CacheHit(key=key, route=entry.route, tier="l1", age=now - entry.born))
                    ready = entry.ready.copy()
                    await send({"type": "http.response.start", "status": entry.status, "headers": ready})
                    await send({"type": "http.response.body", "body": entry.body if method == "GET" else b""})
                    return
        if aside and route_path(path, scope.get("root_path", "")) in aside:
            await self.app(scope, receive, send)
            return
        if not query and (ruled := book.current).rules:
            rule = ruled.first_for(scope, "GET")
        if special is None and record is None:
            # Passes.holds written out, so that the key is hashed once more and not twice.
            if (
                rule is None
                and method == "GET"
                and (until := cache.passing.get(hash(key))) is not None
                and cache.clock() < until
            ):
                await PassOn(cache, key, scope, send).run(self.app, receive)
                return
            if method == "GET" and host and not cache.store.is_remote and _on_asyncio() and self._enter(scope):
                await self._cold(scope, receive, send, rule, key)
                return
        await self._respond(scope, receive, send, rule, key, special)

    async def _cold(self, scope: Scope, receive: Receive, send: Send, rule: CacheRule | None, key: CacheKey) -> None:
        """Answer a GET of which nothing is stored and that asks nothing special: lead a flight, or follow one."""
        cache = self.cache
        flight_key = (key, (), ())
        if cache.flights.find(flight_key) is not None or (rule is not None and cache.passing.holds(key, cache.clock())):
            await Responder(self.app, cache, rule, key, NO_SPECIAL, scope, receive, send).respond()
            return
        if cache.emit is not None:
            cache.emit(CacheMiss(key=key, route=rule.pattern if rule is not None else "", reason="uri-miss"))
        flight = cache.flights.begin(flight_key, asyncio.get_running_loop())
        exchange = Exchange(
            cache,
            rule,
            Asked.now(cache, key, scope["headers"]),
            method="GET",
            client=send,
            reply=None,
            flight=flight,
        )
        call = exchange.run(self.app, scope, shared_receive(receive, flight))
        await lead(cache, exchange, flight, send, flown(cache, flight_key, flight, call))

    async def other_scope(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a scope that is not HTTP."""
        await self.app(scope, receive, send)

    def _make_ready(self, entry: StoredResponse, now: float) -> bool:
        """Return whether *entry* is fresh; if so, note the fields that it goes out with in this second of its age."""
        if now >= entry.fresh_until:
            return False
        entry.ready = entry.headers + age_fields(entry, now, self.cache.options.status_name(entry.key))
        entry.ready_until = min(entry.fresh_until, entry.born + int(now - entry.born) + 1)
        return True

    def _variant(self, index: Record, headers: RawHeaders) -> StoredResponse | None:
        if type(index) is not Variants:
            return None
        for names in index.names:
            variant = variant_of(headers, names, normalize=self.cache.options.normalize_vary) if names else ()
            record = self.cache.store.near(variant_key(index.key, index.generation, names, variant))
            if record is not None:
                return record if type(record) is StoredResponse else None
        return None

    async def _respond(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        rule: CacheRule | None,
        key: CacheKey,
        special: dict[bytes, bytes] | None,
    ) -> None:
        """Answer a GET or HEAD that memory does not answer as it is."""
        if not _on_asyncio():
            await self.app(scope, receive, consume_target(send))
            return
        if not self._enter(scope):
            await self.app(scope, receive, send)
            return
        if special is not None and (
            b"host" in special or special.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in special
        ):
            # Two hosts, or a GET with a body: no key says what the app will make of it.
            await self.app(scope, receive, consume_target(send))
            return
        if not key[1] and (server := scope.get("server")):
            key = (key[0], f"{server[0]}:{server[1]}".encode(), *key[2:])
        responder = Responder(self.app, self.cache, rule, key, special or NO_SPECIAL, scope, receive, send)
        await responder.respond()

    def _enter(self, scope: Scope) -> bool:
        """Return whether this cache sees the request for the first time."""
        seen = scope.get(SEEN, ())
        if any(cache is self.cache for cache in seen):
            return False
        scope[SEEN] = (*seen, self.cache)
        return True

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve another method: from the cache where a rule has the body in the key, else by the app."""
        method = scope["method"]
        ruled = self._book.current
        if method in ruled.body_methods and (rule := ruled.first_for(scope, method)) is not None and _on_asyncio():
            await self._with_body(rule, scope, receive, send)
        else:
            told = self._telling(scope, send, ruled.first_for(scope, "GET") if ruled.rules else None, "method")
            passed = consume_target(told) if method in SAFE_METHODS else self._invalidator.watch(scope, told)
            await self.app(scope, receive, passed)

    def _telling(self, scope: Scope, send: Send, rule: CacheRule | None, forward: Forward) -> Send:
        """Return a `send` that says why the cache passed on a request (RFC 9211 §2.2), where a *rule* covers its path.

        Answers that nobody wanted cached are not written on.
        """
        if rule is None:
            return send
        key = primary_key(scope, effective_host(scope), rule.query_in_key(scope.get("query_string", b"")))
        name = self.cache.options.status_name(key)
        return send if name is None else adding(send, forward_member(name, forward))

    async def _with_body(self, rule: CacheRule, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []
        body = b""
        complete = False
        while not complete and len(body) <= rule.max_key_body:
            message = await receive()
            messages.append(message)
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            complete = not message.get("more_body", False)
        replayed = _replay(messages, receive)
        headers = scope["headers"]
        # Two hosts: no key says what the app will make of it. And preconditions of a POST are about the resource, not
        # about what is stored for a body: RFC 9110 §13.1.2 makes them 412, before anything is done.
        clear = complete and len(body) <= rule.max_key_body and len(values(headers, b"host")) < 2
        if not clear or any(name in CONDITIONS for name, _ in headers) or not self._enter(scope):
            told = self._telling(scope, send, rule, "bypass")
            is_safe = scope["method"] in SAFE_METHODS
            passed = consume_target(told) if is_safe else self._invalidator.watch(scope, told, reads=True)
            await self.app(scope, replayed, passed)
            return
        special = {name: value for name, value in headers if name in SPECIAL and name not in NOT_FOR_BODIES}
        # With their names, lest a type be taken for a type and an encoding.
        content_type = b"\n".join(name + b":" + value for name, value in headers if name in BODY_FIELDS)
        base = primary_key(scope, effective_host(scope), rule.query_in_key(scope.get("query_string", b"")))
        key = with_body(base, scope["method"], content_type, body)
        app = self.app if scope["method"] in SAFE_METHODS else self._invalidating
        await Responder(app, self.cache, rule, key, special, scope, replayed, send, body=body).respond()

    async def _invalidating(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app for a method that is unsafe, though a rule says that it reads."""
        await self.app(scope, receive, self._invalidator.watch(scope, send, reads=True, consumes=False))


def _on_asyncio() -> bool:
    # Flights and refreshes are asyncio's; on another loop (trio) requests pass untouched.
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = list(reversed(messages))

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
