"""Plays cases within one process, on a clock that is moved by hand. It opens no socket and never sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias
from urllib.parse import unquote

from tests.conformance.judge import Seen, Verdict, judge
from tests.conformance.model import NUMBER, Case, Exchange, Fault, Fields, Place
from tests.conformance.origin import BODILESS, Play

from asgi_resync._asgi import ASGIApp, Clock, Message, RawHeaders, Receive, Scope, Send

START = 1_800_000_000.25
SETTLE = 50
"""Turns of the loop given to work in the background after each exchange."""
PATIENCE = 2.0
"""Seconds after which an exchange counts as hung."""

Wrap: TypeAlias = Callable[[Mapping[str, str], Clock, ASGIApp], ASGIApp]
"""Puts a subject, configured by an environment and a clock, around an app."""


def resync(environ: Mapping[str, str], clock: Clock, app: ASGIApp) -> ASGIApp:
    """The subject this project is about."""
    from asgi_resync import Resync, Settings

    return Resync(Settings.from_env(environ), clock=clock)(app)


def pass_through(environ: Mapping[str, str], clock: Clock, app: ASGIApp) -> ASGIApp:
    """A subject that caches nothing."""
    return app


class HandClock:
    """Seconds since the epoch that pass only when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class OriginApp:
    """The scripted origin as an ASGI app."""

    def __init__(self, play: Play, clock: HandClock) -> None:
        self.play = play
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        answer = self.play.answer(scope["method"], fields, self.clock())
        self.clock.now += answer.delay
        if answer.fault is Fault.CLOSE:
            raise ConnectionResetError("the origin closed the connection")
        headers = _encoded(answer.fields)
        if answer.length is not None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", str(answer.length).encode()))
        start: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send({**start, "trailers": True} if answer.trailers else start)
        if answer.fault in (Fault.CUT, Fault.CUT_CHUNKED):
            await send({"type": "http.response.body", "body": answer.body, "more_body": True})
            raise ConnectionResetError("the origin closed the connection within the body")
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        if answer.trailers:
            trailers = _encoded(answer.trailers)
            await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})


def _encoded(fields: Fields) -> RawHeaders:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def play_case(case: Case, wrap: Wrap) -> Verdict:
    """Play *case* against a new instance of the subject and say how it went."""
    clock = HandClock()
    place = Place(path=f"/{case.id}", host="cache.test", start=clock.now)
    play = Play(case=case, place=place)
    app = wrap(case.settings, clock, OriginApp(play, clock))
    seen: list[Seen] = []
    async with _Lifespan(app):
        for number, exchange in enumerate(case.exchanges, 1):
            scope = _scope(place, number, exchange, clock.now)
            try:
                seen.append(await asyncio.wait_for(_ask(app, scope, exchange.content), PATIENCE))
            except TimeoutError:
                seen.append(Seen(status=504, fields=(), body=b"", broken="hung"))
            for _ in range(SETTLE):
                await asyncio.sleep(0)
            clock.now += exchange.pause
    return judge(play, seen)


async def play_all(cases: Iterable[Case], wrap: Wrap = resync) -> list[Verdict]:
    """Play *cases* one after the other."""
    return [await play_case(case, wrap) for case in cases]


def _scope(place: Place, number: int, exchange: Exchange, now: float) -> Scope:
    fields = [(name.lower(), value) for name, value in place.fields(exchange.send, now)]
    if not any(name == "host" for name, _ in fields):
        fields.insert(0, ("host", place.host))
    fields.append((NUMBER.lower(), str(number)))
    if exchange.content:
        fields.append(("content-length", str(len(exchange.content))))
    raw_path, _, query = (place.path + exchange.path).partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
        "client": ("192.0.2.1", 4711),
        "server": ("cache.test", 80),
        "state": {},
        "extensions": {"http.response.trailers": {}} if exchange.trailers else {},
    }


async def _ask(app: ASGIApp, scope: Scope, content: bytes) -> Seen:
    """Call *app* once, as a server would: an exception before the response starts becomes a bare 500."""
    requests: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[Message] = []
    is_done = asyncio.Event()

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await is_done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    broken = ""
    try:
        await app(scope, receive, send)
    except Exception as error:
        broken = repr(error)
    finally:
        is_done.set()
    return _received(sent, broken, scope["method"])


def _received(sent: list[Message], broken: str, method: str) -> Seen:
    starts = [message for message in sent if message["type"] == "http.response.start"]
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    if not starts:
        return Seen(status=500, fields=(), body=b"", broken=broken or "no response")
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in starts[0]["headers"])
    body = b"".join(message.get("body", b"") for message in bodies)
    seen = Seen(status=starts[0]["status"], fields=fields, body=body, broken=broken)
    declared = seen.joined("Content-Length")
    has_body = method != "HEAD" and seen.status not in BODILESS
    if not broken and has_body and declared is not None and declared != str(len(body)):
        broken = f"{len(body)} bytes under Content-Length: {declared}"
    elif not broken and (not bodies or bodies[-1].get("more_body")):
        broken = "body without an end"
    elif not broken and body and not has_body:
        broken = "body where none may be"
    return Seen(status=seen.status, fields=fields, body=body, broken=broken)


class _Lifespan:
    """Runs the lifespan of an app around a block."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.ensure_future(self._app(scope, self._inbox.get, self._outbox.put))
        await self._step("startup")

    async def __aexit__(self, *_: object) -> None:
        await self._step("shutdown")
        await asyncio.wait_for(self._task, PATIENCE)

    async def _step(self, name: str) -> None:
        await self._inbox.put({"type": f"lifespan.{name}"})
        message = await asyncio.wait_for(self._outbox.get(), PATIENCE)
        if message["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(f"lifespan {name} failed: {message.get('message', '')}")
