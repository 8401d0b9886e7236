"""One call of the app whose response may be kept. It forwards every message first and takes its copy on the side.

Its phases: `waiting` for the response to start; `copying` a response that will be kept; `passing` on one that will
not; `muted`, when the client was answered from the store and what the app still says is for nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from .._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from ..events import CacheKey, NotStored, Refreshed, RefreshFailed, Stored
from .build import Call, build_entry, freshened, ruled_vary, strong_etag
from .cache import Cache
from .delivery import Delivery
from .entry import StoredResponse
from .flight import Flight
from .forward import header_lines
from .keys import variant_of
from .marker import Mark, current_mark, unmark
from .opening import degraded_lines, in_its_place, is_error, judge, makes_etag, opts_in, verdict_on, without_own_target
from .policy.fields import OWN_TARGET, read_fields
from .policy.storability import NotStorable
from .policy.validation import NOT_UPDATED, Verdict, identified, stored_headers
from .renewal import renew_others
from .rules import BODY_METHODS, NO_TERMS, Terms
from .status import forward_member

_log = logging.getLogger("asgi_resync")

LASTING = frozenset(
    {
        "no-store",
        "private",
        "no-lifetime",
        "set-cookie",
        "event-stream",
        "vary-star",
        "too-large",
        "trailers",
        "extension",
    }
)
"""Reasons not to store that speak of the resource, not of one request: others need not wait for the like of it."""

Reason: TypeAlias = Literal["validated", "if-error"]
Action: TypeAlias = Literal["pass", "copy", "validated", "fallback"]
"""What becomes of a response: passed on, copied, taken for a 304 to our question, or replaced by the fallback."""

Reply: TypeAlias = Callable[[StoredResponse, Reason, RawHeaders], Awaitable[None]]
"""Answers the client of an exchange out of the store, with header lines that are for this client alone."""


class Exchange:
    """Calls the app for one request, decides on its response, keeps it, and tells the flight.

    *candidates* are the stored responses the app was asked to validate, newest first; *fallback* is what may be
    served in place of an error. *relief* is a flight that takes long, and whose followers get what comes first.
    *client* is where messages go, None for a refresh in the background.
    """

    __slots__ = (
        "_call", "_chunks", "_client_may_304", "_fields", "_held", "_mark", "_may_fall_back", "_plan",
        "_rule", "_size", "authorized", "cache", "candidates", "delivery", "epoch", "fallback", "flight", "forward",
        "has_body", "headers", "key", "method", "moment", "must_repeat", "phase", "relief", "reply", "request_time",
        "seen", "stored", "took_preconditions", "unkeyed",
    )  # fmt: skip

    def __init__(
        self,
        cache: Cache,
        rule: Terms | None,
        *,
        key: CacheKey,
        method: str,
        headers: RawHeaders,
        request_time: float,
        client: Send | None,
        reply: Reply | None,
        flight: Flight[StoredResponse] | None = None,
        relief: Flight[StoredResponse] | None = None,
        candidates: tuple[StoredResponse, ...] = (),
        fallback: StoredResponse | None = None,
        may_fall_back: Callable[[StoredResponse], bool] | None = None,
        forward: str = "uri-miss",
        authorized: bool = False,
        conditional: bool = False,
        unkeyed: tuple[object, ...] = (),
        mark: Mark | None = None,
    ) -> None:
        self.cache = cache
        self.key = key
        self.method = method
        self.headers = headers
        self.request_time = request_time
        self.reply = reply
        self.flight = flight
        self.relief = relief
        self.fallback = fallback
        self._may_fall_back = may_fall_back
        self.forward = forward
        self.authorized = authorized
        self.unkeyed = unkeyed
        self.epoch = cache.ledger.version
        self.seen = cache.ledger.seen
        self.moment = cache.drops
        self.phase: Literal["waiting", "copying", "passing", "muted"] = "waiting"
        self.stored: StoredResponse | None = None
        self.must_repeat = False
        self.has_body = False
        self.took_preconditions = False
        """True if the app was asked without the client's own preconditions, so that they are left to us."""
        self._rule = rule
        if mark is None:
            told = flight if flight is not None else relief
            mark = Mark(told.promise if told is not None else None)
        self._mark = mark
        self.candidates = candidates
        self._client_may_304 = conditional
        self._held: Message | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self.delivery = Delivery(client, flight)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Call *app* to its end. Raises what the app raises, unless a stored response was served in its place."""
        token = current_mark.set(self._mark)
        try:
            await app(scope, receive if self.method in BODY_METHODS else self._watched(receive), self.send)
        except Exception as error:
            if not await self.crashed(error):
                raise
        except BaseException:
            self._fail()
            raise
        else:
            await self.returned()
        finally:
            unmark(token)

    def _watched(self, receive: Receive) -> Receive:
        """Return the app's `receive`; a GET that turns out to have a body (HTTP/2 need not announce it) is not kept."""

        async def watched() -> Message:
            message = await receive()
            if message["type"] == "http.request" and message.get("body"):
                self.has_body = True
            return message

        return watched

    def begin_again(self) -> None:
        """Make ready for a second call without candidates, after a 304 that spoke of none of them."""
        self.candidates = ()
        self.must_repeat = False
        self.phase = "waiting"
        self._mark.terms = None

    async def send(self, message: Message) -> None:
        """Take one message from the app."""
        phase = self.phase
        kind = message["type"]
        if phase == "muted":
            return
        if phase == "copying" and kind == "http.response.body":
            await self._on_body(message)
        elif phase == "waiting" and kind == "http.response.start":
            await self._on_start(message)
        else:
            if phase == "copying":
                # Anything else in mid-response (pathsend, trailers, …) makes it more than status, fields and bytes.
                await self._abandon("extension")
            await self._forward(message)

    # The start

    async def _on_start(self, message: Message) -> None:
        action: Action = "pass"
        given: RawHeaders = []
        headers = given
        try:
            message, given = header_lines(message)
            headers = given
            action, headers = self._decide(message["status"], given, has_trailers=bool(message.get("trailers")))
        except Exception as error:
            self.cache.failed("exchange.start", error)
            self._turn_back()
        if action == "copy":
            self.phase = "copying"
            self._held = {**message, "headers": headers}
            if not makes_etag(self._fields, self._call):
                await self._release(self._fields.etag)
        elif action == "validated":
            await self._validated(headers)
        elif action == "fallback":
            await self._serve_fallback(str(message["status"]), degraded_lines(given))
        else:
            self.phase = "passing"
            verdict = self._verdict_on_passed(message["status"], headers) if self.took_preconditions else "proceed"
            if verdict != "proceed":
                await self._send_in_place(verdict, headers, [])
                return
            await self._forward(message if headers is given else {**message, "headers": headers})

    def _verdict_on_passed(self, status: int, headers: RawHeaders) -> Verdict:
        """Evaluate the client's preconditions as the app would have, had it been asked with them."""
        if not self._client_may_304:
            return "proceed"
        try:
            now = self.cache.clock()
            fields = read_fields(status, headers, now=now)
        except Exception as error:
            self.cache.failed("exchange.preconditions", error)
            return "proceed"
        if fields.etag is None and fields.last_modified is None:
            # An app that gives no validators compares none.
            return "proceed"
        return verdict_on(fields, self.headers, fields.etag, now)

    async def _send_in_place(self, verdict: Verdict, headers: RawHeaders, extra: RawHeaders) -> None:
        """Answer the client with 304 or 412; what the app still says is not for it."""
        for part in in_its_place(verdict, headers, extra):
            await self._forward(part)
        self.delivery.client = None

    def _decide(self, status: int, headers: RawHeaders, *, has_trailers: bool) -> tuple[Action, RawHeaders]:
        """Look at the start. Returns what to do, and the header lines to go on with."""
        if status == 304 and self.candidates:
            return "validated", headers
        if self.fallback is not None and is_error(status, headers) and self._falls_back:
            return "fallback", headers
        if self.has_body:
            self._not_stored("request-body", status)
            return "pass", headers
        terms, options = self._terms, self.cache.options
        if terms is None and not options.heuristic and not opts_in(headers, options.targets):
            self._not_stored("no-lifetime", status)
            return "pass", headers
        now = self.cache.clock()
        self._call = call = self._circumstances(terms if terms is not None else NO_TERMS, now)
        fields = read_fields(status, headers, now=now, targets=options.targets, tag_fields=options.tag_fields)
        plan = judge(fields, call, has_authorization=self.authorized, has_trailers=has_trailers)
        if isinstance(plan, NotStorable):
            self._not_stored(plan.reason, status)
            if fields.has_own_target:
                headers = without_own_target(headers)
            if terms is not None and (name := options.status_name(self.key)) is not None:
                # Somebody asked for it to be cached, so the answer says why it is not.
                member = forward_member(name, self.forward, detail=plan.reason)
                headers = [*headers, (b"cache-status", member)]
            return "pass", headers
        self._fields, self._plan = fields, plan
        is_timely = call.lives_beyond_delay(fields)
        if not (is_timely or call.windows[0] > 0) or fields.control.no_cache:
            # Each of those who wait must ask for itself, so they need not wait for the body.
            self._turn_back()
        elif self.flight is not None:
            self.flight.is_timely = is_timely
            self.flight.decide((plan.vary, self._variant(plan.vary)))
        self.cache.forget_pass(self.key)
        return "copy", headers

    @property
    def _terms(self) -> Terms | None:
        """What applies: the handler's own mark, else the rule."""
        terms = self._mark.terms
        return terms if terms is not None else self._rule

    def _circumstances(self, terms: Terms, now: float) -> Call:
        route = getattr(self._rule, "pattern", "")
        return Call(
            terms=terms,
            options=self.cache.options,
            route=route,
            epoch=self.epoch,
            seen=self.seen,
            request_time=self.request_time,
            response_time=now,
        )

    async def _release(self, etag: bytes | None, made: bytes | None = None) -> None:
        """Send the start that was held, with the ETag that was *made* by us if any."""
        message, self._held = self._held, None
        if message is None or self.delivery.client is None:
            return
        fields = self._fields
        headers: RawHeaders = message["headers"]
        if fields.has_own_target:
            headers = without_own_target(headers)
        headers = headers + ruled_vary(fields, self._call.terms)
        extra: RawHeaders = [] if made is None else [(b"etag", made)]
        verdict: Verdict = "proceed"
        if self._client_may_304:
            verdict = verdict_on(fields, self.headers, etag, self._call.response_time)
        has_it = verdict != "proceed"
        if (name := self.cache.options.status_name(self.key)) is not None:
            status = fields.status if has_it or self.candidates else None
            member = forward_member(name, self.forward, status=status, stored=not self._is_void())
            extra.append((b"cache-status", member))
        if has_it:
            await self._send_in_place(verdict, headers, extra)
            return
        await self._forward({**message, "headers": headers + extra})

    # The body

    async def _on_body(self, message: Message) -> None:
        chunk = message.get("body", b"")
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            # For the server to refuse.
            await self._abandon("malformed")
            await self._forward(message)
            return
        self._size += len(chunk)
        final = not message.get("more_body", False)
        if self._size > self.cache.options.max_body:
            await self._abandon("too-large")
        else:
            self._chunks.append(bytes(chunk))
            if final:
                await self._complete()
            elif self._held is not None:
                await self._release(None)
        await self._forward(message)

    async def _complete(self) -> None:
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        fields, call = self._fields, self._call
        if self.has_body:
            await self._abandon("request-body")
            return
        if fields.content_length is not None and fields.content_length != len(body):
            # §3: an incomplete response is not kept, and neither is one that says more than it declared.
            await self._abandon("incomplete")
            return
        made: bytes | None = None
        try:
            made = strong_etag(body) if makes_etag(fields, call) else None
            if call.lifetime is not None and call.lifetime.source == "rule":
                # A rule's lifetime counts from the moment the response is complete.
                call.response_time = self.cache.clock()
                call.read(fields)
            variant = self._variant(self._plan.vary)
            entry = build_entry(
                fields, self._as_listed(), body, call, key=self.key, vary=self._plan.vary, variant=variant, etag=made
            )
            await self._keep(entry)
        except Exception as error:
            self.cache.failed("exchange.complete", error)
            self._turn_back()
        self.phase = "passing"
        if self._held is not None:
            await self._release(made if made is not None else fields.etag, made)

    def _variant(self, names: tuple[bytes, ...]) -> tuple[object, ...]:
        if not names:
            return self.unkeyed
        normalize = self.cache.options.normalize_vary
        return variant_of(self.headers, names, normalize=normalize, unkeyed=self.unkeyed)

    def _as_listed(self) -> RawHeaders:
        return [(name, value) for name, found in self._fields.lines.items() for value in found]

    def _is_void(self) -> bool:
        return self.cache.dropped_since(self.key, self.moment)

    async def _keep(self, entry: StoredResponse) -> None:
        void = self._is_void() or self.cache.ledger.standing(entry) == "purged"
        if void:
            self._tell_not_stored("purged")
        elif await self.cache.keep_variant(self.key, entry, moment=self.moment):
            self.stored = entry
            if self.cache.emit is not None:
                self.cache.emit(Stored(key=self.key, route=entry.route, lifetime=entry.lifetime, size=len(entry.body)))
                if self.forward in ("stale", "request"):
                    self.cache.emit(Refreshed(key=self.key, route=entry.route, validated=False))
        if self.flight is not None:
            self.flight.land(entry)
        if self.relief is not None and self.relief.state == "aloft":
            self.relief.is_timely = self._call.lives_beyond_delay(self._fields)
            self.relief.decide((entry.vary, entry.variant))
            self.relief.land(entry)

    # Answers out of the store

    async def _validated(self, headers: RawHeaders) -> None:
        """The app says 304 to our question (RFC 9111 §4.3.3)."""
        alike = identified(self.candidates, headers, self.cache.clock())
        self.phase = "muted"
        if not alike:
            # §4.3.3: it speaks of a response that is not stored here, so the question is put again without conditions.
            self.must_repeat = True
            return
        try:
            entry = await self._renewed(alike, headers)
        except Exception as error:
            # What it validates may be served all the same.
            self.cache.failed("exchange.validated", error)
            self._turn_back()
            entry, headers = alike[0], []
        if self.reply is not None:
            kept = {name for name, _ in entry.headers}
            update = stored_headers(headers, NOT_UPDATED | {OWN_TARGET})
            await self.reply(entry, "validated", [pair for pair in update if pair[0] not in kept])

    async def _renewed(self, alike: tuple[StoredResponse, ...], headers: RawHeaders) -> StoredResponse:
        """Bring the update *headers* into all that is *alike* (§4.3.4), and return the first, which answers."""
        terms, chosen = self._terms, alike[0]
        call = self._circumstances(terms if terms is not None else NO_TERMS, self.cache.clock())
        if self.has_body:
            # What the app said to a body that no key knows counts for this client alone.
            self._not_stored("request-body", chosen.status)
            return freshened(chosen, headers, call)[0]
        # The app chose it for this request too, which may be another than that which brought it.
        others = alike if chosen.variant != self._variant(chosen.vary) else alike[1:]
        await renew_others(self.cache, self.key, others, headers, call, moment=self.moment, authorized=self.authorized)
        entry, fields = freshened(chosen, headers, call)
        entry.variant = self._variant(entry.vary)
        plan = judge(fields, call, has_authorization=self.authorized)
        if isinstance(plan, NotStorable):
            if plan.reason != "authorization":
                # §4.3.4: the update counts, also where it takes back the permission to store. That an answer is for
                # one user says nothing of what is stored for all.
                await self.cache.drop(self.key)
            self._not_stored(plan.reason, entry.status)
            return entry
        if plan.vary != entry.vary:
            # §4.1: what the update says it varies on selects from now on.
            entry.vary, entry.variant = plan.vary, self._variant(plan.vary)
        if not self._is_void():
            await self.cache.keep_variant(self.key, entry, moment=self.moment)
        if self.cache.emit is not None:
            self.cache.emit(Refreshed(key=self.key, route=entry.route, validated=True))
        self.stored = entry
        if self.flight is not None:
            self.flight.is_timely = call.lives_beyond_delay(fields) and not fields.control.no_cache
            self.flight.land(entry)
        return entry

    async def _serve_fallback(self, cause: str, own: RawHeaders | None = None) -> None:
        entry = self.fallback
        assert entry is not None
        self.phase = "muted"
        self._held = None
        if self.cache.emit is not None:
            self.cache.emit(RefreshFailed(key=self.key, route=entry.route, cause=cause))
        if self.flight is not None:
            self.flight.land(entry, is_fallback=True)
        if self.reply is not None:
            await self.reply(entry, "if-error", own or [])

    # The end

    async def crashed(self, error: Exception) -> bool:
        """The app raised; True if the client was answered all the same."""
        if self._is_unanswered and self._falls_back:
            _log.error("The app raised; its client is answered from the store.", exc_info=error)
            await self._serve_fallback(type(error).__name__)
            return True
        if self.phase == "muted" and not self.must_repeat:
            # The server would have logged it: whoever runs the app must still learn what broke.
            _log.error("The app raised; its client had been answered from the store.", exc_info=error)
            return True
        self._fail()
        if self._held is not None:
            await self._release(self._fields.etag)
        return False

    @property
    def _falls_back(self) -> bool:
        """Whether the fallback may be served now: the app may have taken longer to fail than its window lasts."""
        if self.fallback is None or self._may_fall_back is None or self._is_void():
            return False
        return self._may_fall_back(self.fallback)

    @property
    def _is_unanswered(self) -> bool:
        return self.phase == "waiting" or (self.phase == "copying" and self._held is not None)

    async def returned(self) -> None:
        """The app has returned; tell those who wait if it left the response unfinished."""
        if self._is_unanswered and self._falls_back:
            await self._serve_fallback("incomplete")
        elif self.phase in ("waiting", "copying"):
            if self.phase == "copying":
                self._not_stored("incomplete", self._fields.status)
            self._fail()
            if self._held is not None:
                await self._release(self._fields.etag)

    def _fail(self) -> None:
        if self.flight is not None:
            self.flight.fail()

    def _turn_back(self) -> None:
        if self.flight is not None:
            self.flight.turn_back()
        if self.relief is not None and self.relief.state == "aloft":
            self.relief.turn_back()

    async def _abandon(self, reason: str) -> None:
        """Stop copying and let the rest flow."""
        self._chunks = []
        self._not_stored(reason, self._fields.status)
        self.phase = "passing"
        if self._held is not None:
            await self._release(self._fields.etag)

    def _not_stored(self, reason: str, status: int) -> None:
        if status >= 500 or reason == "incomplete":
            # A failure is no reason to let everybody at the app at once.
            self._fail()
        else:
            self._turn_back()
            # A marked handler is asked anew each time: only running it shows its terms. And a layer that refuses a
            # request, to limit rates perhaps, does not speak for the handler behind it.
            if reason in LASTING and self._mark.terms is None and (reason != "no-lifetime" or status < 400):
                self.cache.remember_pass(self.key, self.cache.clock())
        self._tell_not_stored(reason)

    def _tell_not_stored(self, reason: str) -> None:
        if self.cache.emit is not None:
            self.cache.emit(NotStored(key=self.key, route=getattr(self._rule, "pattern", ""), reason=reason))

    async def _forward(self, message: Message) -> None:
        await self.delivery.send(message, copying=self.phase == "copying")
