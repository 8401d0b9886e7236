"""The console as an app to mount: it looks, shows, and passes orders on. What they mean is for the Resync to say."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from .. import __version__
from .._asgi import AnyASGIApp, Clock, Message, Receive, Scope, Send
from .._rulebook import route_path
from ..errors import RuleError
from ..events import ConfigApplied, ConfigRefused
from ..resources.health import BreakerHealth
from ..telemetry.recorder import Recorder
from . import orders
from .access import SHORTEST_TOKEN, Access, Auth
from .front import Front
from .page import page, sections_of
from .problem import Refused, problem
from .steered import Steered
from .stream import sections, statuses
from .view import Process, View, as_json

_log = logging.getLogger("asgi_resync")

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

ASSETS = Path(__file__).parent / "assets"
SEALS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Fields of every answer: nothing is kept, nothing comes from elsewhere, and no page of others has it in a frame."""


class Console(Starlette):
    """Shows what *resync* does, and steers it: `app.mount("/resync", Console(resync, recorder=recorder))`.

    A Starlette app. `GET /` is the page; it updates itself, and works without JavaScript too. Below it are `GET
    api/status`, `api/events` (server-sent events) and `api/graph`; `POST api/purge`, `api/breakers/NAME` and
    `api/reload`, which take and give JSON, and errors as problem details (RFC 9457); and, as Fastly has them, `POST
    purge/KEY`, `POST purge` with `Surrogate-Key`, and `POST purge_all`, each soft with `Fastly-Soft-Purge: 1`. Purges
    reach all processes that share a Redis; forced breakers, a reload, and what is shown are those of the process that
    answers.

    *recorder*, which must be among what the Resync tells events, remembers what the page shows of the last minutes.

    Who presents *token*, by default RESYNC_CONSOLE_TOKEN, is let in: as a bearer token, or as the password of any user
    name, which browsers ask for. Or *auth* decides, called with the request: True, False, or a response to give
    instead. *insecure* lets everybody in. Requests that change something are refused if a page of another site sent
    them.

    Raises RuleError where nobody is said to be let in, for a token below 16 characters, and for what is no Resync.
    """

    def __init__(
        self,
        resync: Steered,
        *,
        recorder: Recorder | None = None,
        token: str | None = None,
        auth: Auth | None = None,
        insecure: bool = False,
        clock: Clock = time.time,
    ) -> None:
        given: object = resync
        if not isinstance(given, Steered):
            raise RuleError("resync", given, "give the Resync itself, not the app that it is around")
        remembers: object = recorder
        if remembers is not None and not isinstance(remembers, Recorder):
            raise RuleError("recorder", remembers, "give a telemetry.Recorder(), which Resync(on_event=…) has too")
        if token is not None and len(token) < SHORTEST_TOKEN:
            remedy = f"give {SHORTEST_TOKEN} characters at least, such as those of secrets.token_urlsafe()"
            raise RuleError("token", "*" * len(token), remedy)
        if insecure and (token is not None or auth is not None):
            raise RuleError("insecure", insecure, "leave it away, since token or auth say who is let in")
        if token is None and auth is None and not insecure and resync.settings.console_token is None:
            remedy = (
                "set RESYNC_CONSOLE_TOKEN, or give token=…, auth=…, or insecure=True if everybody may steer the app"
            )
            raise RuleError("token", None, remedy)
        self._resync = resync
        self._recorder = recorder
        self._token = token
        self._since = clock()
        self._access = Access(self._tokens, auth, is_open=insecure)
        super().__init__(
            routes=[
                self._route("/", self._page),
                self._route("/events", self._events),
                self._route("/console.css", self._style),
                self._route("/console.js", self._script),
                self._route("/purge", self._purge_by_form, "POST"),
                self._route("/purge_all", self._purge_all, "POST"),
                self._route("/purge/{key:path}", self._purge_key, "POST"),
                self._route("/breakers/{name}", self._force_by_form, "POST"),
                self._route("/reload", self._reload_by_form, "POST"),
                self._route("/api/status", self._status),
                self._route("/api/events", self._status_events),
                self._route("/api/graph", self._graph),
                self._route("/api/purge", self._purge_by_json, "POST"),
                self._route("/api/breakers/{name}", self._force_by_json, "POST"),
                self._route("/api/reload", self._reload_by_json, "POST"),
            ],
        )

    def around(self, app: AnyASGIApp, path: str = "/resync") -> Front:
        """Return *app* with the console in front: below *path*, and for `PURGE` of any URL, with the same access.

        `app = console.around(resync(app))` keeps it out of reach of rules that match every path, and lets
        `curl -X PURGE` purge the URL with its variants, or what `Surrogate-Key` names. Attributes of *app* are
        reached through the result. Raises RuleError for a path that does not begin with `/`, or is nothing else.
        """
        return Front(self, app, path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope; every answer has `SEALS`."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(SEALS)
                message = {**message, "headers": headers.raw}
            await send(message)

        path, root = scope["path"], scope.get("root_path", "")
        if path.endswith("/") and route_path(path, root) not in ("", "/"):
            # Litestar ends every path that it hands to a mounted app with one.
            scope = {**scope, "path": path.rstrip("/")}
        await super().__call__(scope, receive, sealed)

    async def purge_url(self, request: Request) -> Response:
        """Answer `PURGE`: what `Surrogate-Key` names is purged, and where it names nothing, the URL itself."""

        async def purged(request: Request) -> Response:
            tags = tuple(orders.surrogate_keys(request.headers))
            order = orders.PurgeOrder(tags=tags, urls=() if tags else (_url(request),), soft=_soft(request))
            return _json(await self._purge(order, request))

        return await self._guarded(purged, request)

    def _tokens(self) -> Sequence[str]:
        token = self._token if self._token is not None else self._resync.settings.console_token
        return () if token is None else (token,)

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def guarded(request: Request) -> Response:
            return await self._guarded(handler, request)

        return Route(path, guarded, methods=methods or ("GET",))

    async def _guarded(self, handler: Handler, request: Request) -> Response:
        refusal = await self._access.refusal(request)
        if refusal is not None:
            return refusal
        try:
            return await self._answered(handler, request)
        except ClientDisconnect:
            raise
        except Exception as error:
            _log.error("The console could not answer (%s).", type(error).__name__, exc_info=error)
            return problem(500, "The console failed", "The log of the app says why.")

    async def _answered(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            # Where the page's links are right: not below `breakers/`, which its forms cannot get wrong.
            path, wanted = request.url.path, request.headers.get("accept", "")
            if path.endswith(("/purge", "/reload")) and "/api/" not in path and "text/html" in wanted:
                said = f"{refused.title}: {refused.detail}"
                return HTMLResponse(page(await self._view(), said=said, is_error=True), refused.status)
            return problem(refused.status, refused.title, refused.detail)

    async def _view(self) -> View:
        resync, recorder = self._resync, self._recorder
        return View(
            version=__version__,
            # Asked now, since servers fork after the app was made.
            process=Process(pid=os.getpid(), host=socket.gethostname(), since=self._since),
            health=await resync.health(),
            recording=None if recorder is None else recorder.recording(),
            graph=resync.graph,
            config_file=resync.settings.config_file,
        )

    # The page

    async def _page(self, request: Request) -> Response:
        sent = request.scope.get("raw_path") or request.scope["path"].encode()
        if not sent.partition(b"?")[0].endswith(b"/"):
            # The page's links are relative, so that it need not know what proxies in front call its place.
            return RedirectResponse(sent.partition(b"?")[0].decode("latin-1").rpartition("/")[2] + "/")
        return HTMLResponse(page(await self._view(), said=NOTES.get(request.query_params.get("note", ""), "")))

    async def _events(self, request: Request) -> Response:
        async def look() -> Mapping[str, str]:
            return sections_of(await self._view())

        return StreamingResponse(sections(look), media_type="text/event-stream")

    async def _style(self, request: Request) -> Response:
        return Response((ASSETS / "console.css").read_bytes(), media_type="text/css")

    async def _script(self, request: Request) -> Response:
        return Response((ASSETS / "console.js").read_bytes(), media_type="text/javascript")

    async def _purge_by_form(self, request: Request) -> Response:
        tags = tuple(orders.surrogate_keys(request.headers))
        if tags:
            return _json(await self._purge(orders.PurgeOrder(tags=tags, soft=_soft(request)), request))
        delivery = await self._purge(orders.purge_of_form(await _body(request)), request)
        return _back("./", f"purge-{delivery['state']}")

    async def _force_by_form(self, request: Request) -> Response:
        order = orders.breaker_of_form(await _body(request))
        self._force(request.path_params["name"], order)
        return _back("../", f"breaker-{order.to}")

    async def _reload_by_form(self, request: Request) -> Response:
        outcome = await self._resync.reload()
        if isinstance(outcome, ConfigRefused):
            raise Refused(422, "Nothing has changed", "; ".join(outcome.problems))
        return _back("./", "reloaded" if outcome.changes or outcome.at_restart else "unchanged")

    # The API

    async def _status(self, request: Request) -> Response:
        return Response(as_json(await self._view()), media_type="application/json")

    async def _status_events(self, request: Request) -> Response:
        async def look() -> bytes:
            return as_json(await self._view())

        return StreamingResponse(statuses(look), media_type="text/event-stream")

    async def _graph(self, request: Request) -> Response:
        graph = self._resync.graph
        match request.query_params.get("form", "json"):
            case "json":
                return Response(graph.as_json(), media_type="application/json")
            case "text":
                return Response(graph.text(), media_type="text/plain")
            case "mermaid":
                return Response(graph.mermaid(), media_type="text/plain")
            case other:
                raise Refused(422, "No such form", f"{other!r} is none of json, text and mermaid.")

    async def _purge_by_json(self, request: Request) -> Response:
        return _json(await self._purge(orders.purge_of_json(await _json_body(request)), request))

    async def _force_by_json(self, request: Request) -> Response:
        order = orders.breaker_of_json(await _json_body(request))
        return _json(self._force(request.path_params["name"], order))

    async def _reload_by_json(self, request: Request) -> Response:
        match await self._resync.reload():
            case ConfigApplied(changes=changes, at_restart=later):
                return _json({"result": "applied", "changes": changes, "at_restart": later})
            case ConfigRefused(problems=problems):
                return _json({"result": "refused", "problems": problems})

    async def _purge_key(self, request: Request) -> Response:
        order = orders.PurgeOrder(tags=(request.path_params["key"],), soft=_soft(request))
        return _json(await self._purge(order, request))

    async def _purge_all(self, request: Request) -> Response:
        return _json(await self._purge(orders.PurgeOrder(everything=True, soft=_soft(request)), request))

    # What is done

    async def _purge(self, order: orders.PurgeOrder, request: Request) -> Mapping[str, str | int]:
        if order.upstream is not None and order.upstream not in self._resync.upstreams:
            raise Refused(422, "Nothing was purged", f"{order.upstream!r} is none of {_names(self._resync)}.")
        here = f"{request.url.scheme}://{request.headers.get('host', '')}"
        try:
            delivery = await self._resync.purge(
                tags=order.tags,
                urls=[here + url if url.startswith("/") else url for url in order.urls],
                upstream=order.upstream,
                everything=order.everything,
                soft=order.soft,
            )
        except RuleError as error:
            raise Refused(422, "Nothing was purged", str(error)) from None
        return {"state": delivery.state, "confirmed": delivery.confirmed, "unconfirmed": delivery.unconfirmed}

    def _force(self, name: str, order: orders.BreakerOrder) -> BreakerHealth:
        if name not in self._resync.upstreams:
            raise Refused(404, "No such upstream", f"{name!r} is none of {_names(self._resync)}.")
        breaker = self._resync.upstreams[name].breaker
        match order.to:
            case "forced-open":
                breaker.force_open()
            case "forced-closed":
                breaker.force_closed()
            case "metrics-only":
                breaker.metrics_only()
            case "released":
                breaker.reset()
        report = breaker.report()
        return BreakerHealth(
            state=report.state, calls=report.calls, failures=report.failures, retry_after=report.retry_after
        )


NOTES = {
    "purge-local": "Purged.",
    "purge-delivered": "Purged, in every process.",
    "purge-partial": "Purged here and in Redis; some processes have not said yet that they applied it.",
    "purge-queued": "Purged here. Redis is away, and is told as soon as it is back.",
    "breaker-forced-open": "The breaker lets nobody through until you release it.",
    "breaker-forced-closed": "The breaker lets everybody through until you release it.",
    "breaker-metrics-only": "The breaker counts, and lets everybody through, until you release it.",
    "breaker-released": "The breaker is closed, and goes by what calls show.",
    "reloaded": "The settings were read, and are in force.",
    "unchanged": "The settings were read: they are as they were.",
}
"""What the page says after it was told to do something. Only these, whatever stands in its address."""


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > orders.LARGEST:
            raise Refused(413, "Too large", f"At most {orders.LARGEST} bytes are read.")
    return body


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "Not JSON", "Send Content-Type: application/json.")
    return await _body(request)


def _back(place: str, note: str) -> Response:
    return RedirectResponse(f"{place}?note={note}", 303)


def _json(value: Any) -> Response:  # noqa: ANN401 - whatever msgspec encodes
    return Response(msgspec.json.encode(value), media_type="application/json")


def _soft(request: Request) -> bool:
    return orders.is_soft(request.headers)


def _names(resync: Steered) -> str:
    return ", ".join(sorted(resync.upstreams))


def _url(request: Request) -> str:
    """Return the URL of *request* as it was sent, which is what keys hold. Raises Refused for what is no URL."""
    scope = request.scope
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope.get("query_string") else b""
    host = request.headers.get("host", "").encode()
    url = b"%b://%b%b%b" % (scope.get("scheme", "http").encode(), host, path.partition(b"?")[0], query)
    if not url.isascii():
        # RFC 3986: one that was sent so has no spelling by which it could be named.
        raise Refused(400, "Not a URL", "Percent-encode what is not ASCII, as in /caf%C3%A9, or purge by tag.")
    return url.decode("ascii")
