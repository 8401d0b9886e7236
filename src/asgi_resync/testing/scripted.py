"""A clock to turn by hand, an app that plays a script, and requests: for testing apps behind the cache.

None of it sleeps, patches or needs a server, and it knows no test framework.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from .._asgi import ASGIApp, Message, Receive, Scope, Send

Text: TypeAlias = str | bytes
Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[Text, Text]]
"""Header lines as a mapping, or as pairs where a name may come several times."""


class ManualClock:
    """A clock that stands still until it is told otherwise: `Resync(clock=ManualClock())`.

    *now* is in seconds since the epoch; its default is a moment of 2023.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; negative ones are a clock that was set back."""
        self.now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One response for a `ScriptedApp` to give.

    *body* is sent in one message, or in one per item of a list. *hold* is waited for before the response starts, and
    *hold_body* between its start and its body, so that a test can look at the moment between. *error* is raised in
    place of the last body message, or of the start if *body* is None.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes | Sequence[bytes] | None = b""
    hold: asyncio.Event | None = None
    hold_body: asyncio.Event | None = None
    error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the response, as an ASGI app does."""
        if self.hold is not None:
            await self.hold.wait()
        if self.body is None:
            if self.error is not None:
                raise self.error
            return
        await send({"type": "http.response.start", "status": self.status, "headers": raw_headers(self.headers)})
        if self.hold_body is not None:
            await self.hold_body.wait()
        chunks = [self.body] if isinstance(self.body, bytes) else list(self.body)
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if self.error is not None:
            raise self.error
        await send({"type": "http.response.body", "body": chunks[-1] if chunks else b"", "more_body": False})


Step: TypeAlias = Reply | ASGIApp
"""What a `ScriptedApp` does with one request: give a reply, or whatever an ASGI callable does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as an app saw it: the scope at that moment, and the body."""

    scope: Mapping[str, Any]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of the first header line called *name*, None if there is none."""
        return _first(self.scope["headers"], name)


class ScriptedApp:
    """An ASGI app that takes one step of its script per HTTP request, and the last step for ever after.

    `requests` are those it saw, in order; `calls` how many began, `finished` how many ended well, `cancelled` how many
    were cancelled. It reads the body of a request before its step begins. On `lifespan` it does what an app without
    one does: it raises.
    """

    def __init__(self, *script: Step) -> None:
        self._script = script or (Reply(),)
        self._changed = asyncio.Condition()
        self.requests: list[Request] = []
        self.calls = 0
        self.finished = 0
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] != "http":
            raise RuntimeError(f"a ScriptedApp has no {scope['type']}")
        step = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        try:
            seen = dict(scope)
            body, whole = await _body_of(receive)
            self.requests.append(Request(scope=seen, body=body))
            async with self._changed:
                self._changed.notify_all()
            if not whole:
                return
            await step(scope, receive, send)
            self.finished += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def until_called(self, times: int = 1) -> None:
        """Wait until *times* requests have reached the app in all."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response as a client got it: status, raw header lines, body, and the messages that brought it, in order."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    messages: tuple[Mapping[str, Any], ...]

    def header(self, name: str) -> str | None:
        """Return the value of the first header line called *name*, None if there is none."""
        return _first(self.headers, name)

    def values(self, name: str) -> list[str]:
        """Return the values of all header lines called *name*, in order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for line, value in self.headers if line.lower() == wanted]


async def request(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    *,
    headers: Headers = (),
    body: bytes | Sequence[bytes] = b"",
    on_send: Callable[[Message], Awaitable[None]] | None = None,
    disconnect: asyncio.Event | None = None,
    **scope: object,
) -> Response:
    """Call *app* once, as a server would, and return what it sent. Raises what the app raises.

    *path* may hold a query, and is sent as written: `raw_path` has it so, `path` decoded. *body* may come in several
    messages. *on_send* is awaited with each message before it counts as sent, so it can block or raise as a slow or
    absent client does. The client goes away once *disconnect* is set, before that once it has the whole response.
    Whatever else is named goes into the scope as it is. A response that never started has status 0.
    """
    chunks = [body] if isinstance(body, bytes) else list(body)
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    over = disconnect if disconnect is not None else asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        if incoming and not over.is_set():
            return incoming.pop(0)
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if on_send is not None:
            await on_send(message)
        sent.append(dict(message))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            over.set()

    await app(http_scope(method, path, headers=headers, **scope), receive, send)
    return response_of(sent)


def http_scope(method: str = "GET", path: str = "/", *, headers: Headers = (), **more: object) -> Scope:
    """Return the scope of a request; *path* may hold a query, and *more* goes in last.

    Unless *headers* name a host, it is `testserver`; one host of `""` leaves the line out.
    """
    target, _, query = path.partition("?")
    lines = raw_headers(headers)
    hosts = [value for name, value in lines if name == b"host"]
    if not hosts:
        lines.insert(0, (b"host", b"testserver"))
    elif hosts == [b""]:
        lines = [pair for pair in lines if pair[0] != b"host"]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": lines,
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": {},
        "extensions": {},
        **more,
    }


def response_of(messages: Iterable[Message]) -> Response:
    """Return the response that *messages* make together."""
    kept = tuple(messages)
    start = next((message for message in kept if message["type"] == "http.response.start"), None)
    return Response(
        status=start["status"] if start is not None else 0,
        headers=tuple((bytes(name), bytes(value)) for name, value in start.get("headers", ())) if start else (),
        body=b"".join(message.get("body", b"") for message in kept if message["type"] == "http.response.body"),
        messages=kept,
    )


def raw_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return *headers* as ASGI carries them: bytes, with names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(_raw(name).lower(), _raw(value)) for name, value in pairs]


def _raw(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _first(lines: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    wanted = name.lower().encode("latin-1")
    return next((value.decode("latin-1") for line, value in lines if line.lower() == wanted), None)


async def _body_of(receive: Receive) -> tuple[bytes, bool]:
    """Return the body and whether it is whole; the client may have gone in mid-body."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body, False
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body, True
