"""A server in memory: it plays one connection to an app and records what passes. It judges nothing.

What the wrapper may add to a response, its `Cache-Status` line, an ETag and the line that opted in, is taken off the
record, so that one and the same assertion holds for the bare app and for the wrapped one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.transparency.wrappings import OPT_IN

from asgi_resync._asgi import ASGIApp, Message, RawHeaders, Scope

REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT: Message = {"type": "http.disconnect"}


def http(
    path: str = "/plan", *, method: str = "GET", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any
) -> Scope:
    """Return the scope of a request, as a server would make it; *more* is put into it last."""
    target, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": {},
        "extensions": {},
        **more,
    }


def start(status: int = 200, headers: RawHeaders | None = None, **more: Any) -> Message:
    """Return a message that starts a response."""
    return {"type": "http.response.start", "status": status, "headers": headers or [], **more}


def body(content: bytes = b"", **more: Any) -> Message:
    """Return a message that carries a part of a body, by default the last one."""
    return {"type": "http.response.body", "body": content, **more}


class Connection:
    """One call of an app, and the record of it.

    `log` has every message in order, as pairs of `"receive"` or `"send"` and the message; `sent` has what the app
    sent. After *incoming* is used up, `receive` waits until the response is complete or `disconnect()` was called and
    then says `http.disconnect`, as servers do. *on_send* is awaited within `send`, before the message is recorded.
    """

    def __init__(
        self,
        scope: Scope | None = None,
        incoming: Iterable[Message] = (REQUEST,),
        *,
        on_send: Callable[[Message], Awaitable[None]] | None = None,
    ) -> None:
        self.scope = http() if scope is None else scope
        self.log: list[tuple[str, Message]] = []
        self._incoming = list(incoming)
        self._on_send = on_send
        self._trailers = False
        self._over = asyncio.Event()
        self._news = asyncio.Condition()

    async def run(self, app: ASGIApp) -> Connection:
        """Call *app* once and return self; what the app raises is raised."""
        await app(self.scope, self.receive, self.send)
        return self

    def disconnect(self) -> None:
        """Let the client go away."""
        self._over.set()

    async def receive(self) -> Message:
        if self._incoming:
            message = self._incoming.pop(0)
        else:
            await self._over.wait()
            message = dict(DISCONNECT)
        self.log.append(("receive", message))
        return message

    async def send(self, message: Message) -> None:
        if self._on_send is not None:
            await self._on_send(message)
        async with self._news:
            self.log.append(("send", message))
            self._news.notify_all()
        kind = message["type"]
        if kind == "http.response.start":
            self._trailers = bool(message.get("trailers", False))
        elif kind == "http.response.trailers":
            self._over_unless(message.get("more_trailers", False))
        elif kind in ("http.response.body", "http.response.zerocopysend"):
            self._over_unless(message.get("more_body", False) or self._trailers)
        elif kind == "http.response.pathsend":
            self._over_unless(self._trailers)

    def _over_unless(self, more: object) -> None:
        if not more:
            self._over.set()

    async def until_sent(self, count: int) -> None:
        """Wait until *count* messages were sent."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.sent) >= count)

    @property
    def sent(self) -> list[Message]:
        return [without_ours(message) for way, message in self.log if way == "send"]

    @property
    def sent_types(self) -> list[str]:
        return [message["type"] for message in self.sent]

    @property
    def received(self) -> list[Message]:
        return [message for way, message in self.log if way == "receive"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def cache_status(self) -> bytes:
        """The value of `Cache-Status`, or nothing for the bare app."""
        started = (message for way, message in self.log if way == "send" and message["type"] == "http.response.start")
        lines = [value for message in started for name, value in message["headers"] if name == b"cache-status"]
        return b", ".join(lines)


def without_ours(message: Message) -> Message:
    """Return *message* without the lines that the wrapper may add to the start of a response."""
    if message["type"] != "http.response.start" or "headers" not in message:
        return message
    lines = [(name, value) for name, value in message["headers"] if not is_ours(name, value)]
    return {**message, "headers": lines}


def is_ours(name: bytes, value: bytes) -> bool:
    """Return whether the wrapper, or the wrapping that opts in, adds this line to a response."""
    made_etag = name == b"etag" and re.fullmatch(rb'"[0-9A-Za-z+/]{16}"', value) is not None
    return made_etag or name == b"cache-status" or (name, value) == OPT_IN


async def exchange(app: ASGIApp, scope: Scope | None = None, incoming: Iterable[Message] = (REQUEST,)) -> Connection:
    """Call *app* once and return the record."""
    return await Connection(scope, incoming).run(app)


def replying(*messages: Message) -> ASGIApp:
    """Return an app that sends *messages* and returns."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        for message in messages:
            await send(dict(message))

    return app
