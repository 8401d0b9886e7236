"""One call of the app whose response may be kept. It forwards every message first and takes its copy on the side.

Its phases: `waiting` for the response to start; `copying` a response that will be kept; `passing` on one that will
not; `muted`, when the client was answered from the store and what the app still says is for nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from .._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from .asked import Asked
from .build import Call, freshened
from .cache import Cache
from .copying import Copy
from .delivery import Action, Delivery, Reason, Reply
from .entry import StoredResponse
from .flight import Flight
from .forward import header_lines
from .keeping import keep_variant
from .learning import learn_route
from .marker import Mark
from .opening import degraded_lines, in_its_place, is_error, judge, opts_in, verdict_on_passed, without_own_target
from .outcome import Outcome
from .policy.fields import OWN_TARGET, read_fields
from .policy.storability import NotStorable
from .policy.validation import NOT_UPDATED, Verdict, identified, stored_headers
from .provenance import built_from
from .renewal import renew
from .rules import BODY_METHODS, Terms
from .status import forward_member

_log = logging.getLogger("asgi_resync")


class Exchange:
    """Calls the app for one request, decides on its response, keeps it, and tells the flight.

    *candidates* are the stored responses the app was asked to validate, newest first; *fallback* is what may be
    served in place of an error. *relief* is a flight that takes long, and whose followers get what comes first.
    *client* is where messages go, None for a refresh in the background.
    """

    __slots__ = (
        "_client_may_304", "_copy", "_held", "_mark", "_may_fall_back", "_outcome", "_receive", "_reply", "_rule",
        "asked", "cache", "candidates", "delivery", "fallback", "forward", "has_body", "method", "must_repeat", "phase",
        "stored", "took_preconditions",
    )  # fmt: skip

    def __init__(
        self,
        cache: Cache,
        rule: Terms | None,
        asked: Asked,
        *,
        method: str,
        client: Send | None,
        reply: Reply | None,
        flight: Flight[StoredResponse] | None = None,
        relief: Flight[StoredResponse] | None = None,
        candidates: tuple[StoredResponse, ...] = (),
        fallback: StoredResponse | None = None,
        may_fall_back: Callable[[StoredResponse], bool] | None = None,
        forward: str = "uri-miss",
        conditional: bool = False,
        mark: Mark | None = None,
    ) -> None:
        self.cache = cache
        self.method = method
        self.asked = asked
        self._reply = reply
        self.fallback = fallback
        self._may_fall_back = may_fall_back
        self.forward = forward
        self.phase: Literal["waiting", "copying", "passing", "muted"] = "waiting"
        self.stored: StoredResponse | None = None
        self.must_repeat = False
        self.has_body = False
        self.took_preconditions = False
        """True if the app was asked without the client's own preconditions, so that they are left to us."""
        self._rule = rule
        self._outcome = Outcome(cache, asked.key, getattr(rule, "pattern", ""), flight, relief)
        self._mark = mark if mark is not None else Mark(self._outcome.promise)
        self.candidates = candidates
        self._client_may_304 = conditional
        self._held: Message | None = None
        self._copy: Copy
        self.delivery = Delivery(client, flight)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Call *app* to its end. Raises what the app raises, unless a stored response was served in its place."""
        self._receive = receive
        self._mark.open()
        try:
            await app(scope, receive if self.method in BODY_METHODS else self._watched, self.send)
        except Exception as error:
            if not await self.crashed(error):
                raise
        except BaseException:
            self._outcome.fail()
            raise
        else:
            await self.returned()
        finally:
            self._mark.close()
            learn_route(self.cache, self._rule, scope, self._mark)

    async def _watched(self) -> Message:
        """Give the app a message; a GET that turns out to have a body (HTTP/2 need not announce it) is not kept."""
        message = await self._receive()
        if message["type"] == "http.request" and message.get("body"):
            self.has_body = True
        return message

    def begin_again(self) -> None:
        """Make ready for a second call without candidates, after a 304 that spoke of none of them."""
        self.candidates = ()
        self.must_repeat = False
        self.phase = "waiting"
        self._mark.begin_again()

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
            self._outcome.turn_back()
        if action == "copy":
            self.phase = "copying"
            self._held = {**message, "headers": headers}
            if not self._copy.wants_etag:
                await self._release(self._copy.fields.etag)
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
        try:
            if self._client_may_304:
                return verdict_on_passed(status, headers, self.asked.headers, self.cache.clock())
        except Exception as error:
            self.cache.failed("exchange.preconditions", error)
        return "proceed"

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
            return "pass", without_own_target(headers)
        terms, options = self._terms, self.cache.options
        if terms is None and not options.heuristic and not opts_in(headers, options.targets):
            self._not_stored("no-lifetime", status)
            return "pass", headers
        call = self._call()
        fields = read_fields(
            status, headers, now=call.response_time, targets=options.targets, tag_fields=options.tag_fields
        )
        plan = judge(fields, call, has_authorization=self.asked.authorized, has_trailers=has_trailers)
        if isinstance(plan, NotStorable):
            self._not_stored(plan.reason, status, is_degraded=bool(degraded_lines(headers)))
            if fields.has_own_target:
                headers = without_own_target(headers)
            if terms is not None and (name := options.status_name(self.asked.key)) is not None:
                # Somebody asked for it to be cached, so the answer says why it is not.
                member = forward_member(name, self.forward, detail=plan.reason)
                headers = [*headers, (b"cache-status", member)]
            return "pass", headers
        self._copy = Copy(fields, plan, call)
        is_timely = call.lives_beyond_delay(fields)
        if not (is_timely or call.windows[0] > 0) or fields.control.no_cache:
            # Each of those who wait must ask for itself, so they need not wait for the body.
            self._outcome.turn_back()
        else:
            self._outcome.decide((plan.vary, self._variant(plan.vary)), is_timely=is_timely)
        self.cache.passing.forget(self.asked.key)
        return "copy", headers

    @property
    def _terms(self) -> Terms | None:
        """What applies: the handler's own mark, else the rule."""
        terms = self._mark.terms
        return terms if terms is not None else self._rule

    def _call(self) -> Call:
        return self.asked.call(self.cache, self._terms, getattr(self._rule, "pattern", ""))

    async def _release(self, etag: bytes | None, made: bytes | None = None, refused: str | None = None) -> None:
        """Send the start that was held, with the ETag *made* by us if any; *refused* is why it is not kept."""
        message, self._held = self._held, None
        if message is None or self.delivery.client is None:
            return
        copy = self._copy
        headers = copy.lines(message["headers"])
        extra: RawHeaders = [] if made is None else [(b"etag", made)]
        verdict: Verdict = copy.verdict(self.asked.headers, etag) if self._client_may_304 else "proceed"
        has_it = verdict != "proceed"
        if (name := self.cache.options.status_name(self.asked.key)) is not None:
            status = copy.fields.status if has_it or self.candidates else None
            stored = refused is None and not self.asked.is_void(self.cache)
            member = forward_member(name, self.forward, status=status, stored=stored, detail=refused)
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
        if not self._copy.takes(chunk):
            await self._abandon("too-large")
        elif not message.get("more_body", False):
            await self._complete()
        elif self._held is not None:
            made = self._copy.etag_by_length
            await self._release(made, made)
        await self._forward(message)

    async def _complete(self) -> None:
        if self.has_body:
            await self._abandon("request-body")
            return
        if not self._copy.is_whole:
            await self._abandon("incomplete")
            return
        made: bytes | None = None
        try:
            variant = self._variant(self._copy.plan.vary)
            self._copy.call.built_from = built_from(self._mark)
            entry, made = self._copy.entry(self.cache.clock(), key=self.asked.key, variant=variant)
            await self._keep(entry)
        except Exception as error:
            self.cache.failed("exchange.complete", error)
            self._outcome.turn_back()
        self.phase = "passing"
        await self._release(made if made is not None else self._copy.fields.etag, made)

    def _variant(self, names: tuple[bytes, ...]) -> tuple[object, ...]:
        return self.asked.variant(self.cache, names)

    async def _keep(self, entry: StoredResponse) -> None:
        if self.asked.is_void(self.cache) or self.cache.ledger.standing(entry) == "purged":
            self._outcome.discarded("purged")
        elif await keep_variant(self.cache, self.asked.key, entry, moment=self.asked.moment):
            self.stored = entry
            self._outcome.stored(entry, is_refresh=self.forward in ("stale", "request"))
        self._outcome.land(entry, is_timely=self._copy.call.lives_beyond_delay(self._copy.fields))

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
            self._outcome.turn_back()
            entry, headers = alike[0], []
        if self._reply is not None:
            kept = {name for name, _ in entry.headers}
            update = stored_headers(headers, NOT_UPDATED | {OWN_TARGET})
            reason: Reason = "validated" if self.stored is not None else "confirmed"
            await self._reply(entry, reason, [pair for pair in update if pair[0] not in kept])

    async def _renewed(self, alike: tuple[StoredResponse, ...], headers: RawHeaders) -> StoredResponse:
        """Bring the update *headers* into all that is *alike* (§4.3.4), and return the first, which answers."""
        asked, call = self.asked, self._call()
        call.built_from = built_from(self._mark)
        is_degraded = bool(degraded_lines(headers))
        if self.has_body or is_degraded:
            # What the app said to a body that no key knows, or for want of an upstream, counts for this client alone.
            reason = "request-body" if self.has_body else "no-store"
            self._not_stored(reason, alike[0].status, is_degraded=is_degraded)
            return freshened(alike[0], headers, call)[0]
        renewed = await renew(self.cache, asked, alike, headers, call)
        entry = renewed.entry
        if isinstance(renewed.plan, NotStorable):
            self._not_stored(renewed.plan.reason, entry.status)
            return entry
        if renewed.is_kept:
            self._outcome.validated(entry)
            self.stored = entry
        self._outcome.land(entry, is_timely=renewed.is_timely)
        return entry

    async def _serve_fallback(self, cause: str, own: RawHeaders | None = None) -> None:
        entry = self.fallback
        assert entry is not None
        self.phase = "muted"
        self._held = None
        self._outcome.fall_back(entry, cause, own or [])
        if self._reply is not None:
            await self._reply(entry, "if-error", own or [])

    # The end

    async def crashed(self, error: Exception) -> bool:
        """The app raised; True if the client was answered all the same."""
        if self._falls_back:
            _log.error("The app raised; its client is answered from the store.", exc_info=error)
            await self._serve_fallback(type(error).__name__)
            return True
        if self.phase == "muted" and not self.must_repeat:
            # The server would have logged it: whoever runs the app must still learn what broke.
            _log.error("The app raised; its client had been answered from the store.", exc_info=error)
            return True
        self._outcome.fail()
        if self._held is not None:
            await self._release(self._copy.fields.etag, refused="incomplete")
        return False

    @property
    def _falls_back(self) -> bool:
        """Whether the fallback may be served now: unless the app has answered, or took longer than its window lasts."""
        is_unanswered = self.phase == "waiting" or (self.phase == "copying" and self._held is not None)
        if not is_unanswered or self.fallback is None or self._may_fall_back is None or self.asked.is_void(self.cache):
            return False
        return self._may_fall_back(self.fallback)

    async def returned(self) -> None:
        """The app has returned; tell those who wait if it left the response unfinished."""
        if self._falls_back:
            await self._serve_fallback("incomplete")
        elif self.phase in ("waiting", "copying"):
            if is_copying := self.phase == "copying":
                self._not_stored("incomplete", self._copy.fields.status)
            self._outcome.fail()
            if is_copying:
                await self._release(self._copy.fields.etag, refused="incomplete")

    async def _abandon(self, reason: str) -> None:
        """Stop copying and let the rest flow."""
        self._not_stored(reason, self._copy.fields.status)
        self.phase = "passing"
        await self._release(self._copy.fields.etag, refused=reason)

    def _not_stored(self, reason: str, status: int, *, is_degraded: bool = False) -> None:
        is_marked = self._mark.terms is not None
        self._outcome.not_stored(reason, status, is_marked=is_marked, is_degraded=is_degraded)

    async def _forward(self, message: Message) -> None:
        await self.delivery.send(message, copying=self.phase == "copying")
