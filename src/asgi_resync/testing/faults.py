"""How a service breaks on command: what it does in place of answering well. As plain ASGI, it knows no service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .._asgi import ASGIApp, Message, Receive, Scope, Send

DROP = "resync.drop"
"""The extension by which `serve` lets an app cut the connection; its value writes bytes first."""


class Dropped(ConnectionError):
    """The connection was cut on command; this is what a client sees that is connected without a socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with a request. Those of one may be combined where that makes sense.

    It answers with *status* and *retry_after* (seconds, or a date as text); waits *latency* seconds first; *hang*s
    until the client goes away; *drop*s the connection without an answer; sends *garbage* that is no HTTP; *truncate*s
    the body: half of it, and then the connection ends; sends a body that is whole and *malformed*, or *empty*; or
    sends it slowly, with *pause* seconds between pieces of 8 bytes.
    """

    status: int | None = None
    retry_after: int | str | None = None
    latency: float = 0.0
    hang: bool = False
    drop: bool = False
    garbage: bool = False
    truncate: bool = False
    malformed: bool = False
    empty: bool = False
    pause: float | None = None


@dataclass(slots=True)
class Ordered:
    """A fault for requests whose path matches, *times* of them; None for all."""

    fault: Fault
    path: str
    times: int | None


class Faults:
    """The faults in force. The first that matches a path is the one that happens to it."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._ordered: list[Ordered] = []
        self._sleep = sleep

    def fail(self, fault: Fault, *, times: int | None = None, path: str = "*") -> None:
        """From now on *fault* happens to requests for *path*, which may hold `*`: *times* times, or until `heal`."""
        if times is None or times > 0:
            self._ordered.append(Ordered(fault, path, times))

    def heal(self) -> None:
        """Nothing goes wrong any more, but for what hangs already."""
        self._ordered.clear()

    def next_for(self, path: str) -> Fault | None:
        """Return what happens to one request for *path*, and count it."""
        for ordered in self._ordered:
            if fnmatchcase(path, ordered.path):
                if ordered.times is not None:
                    ordered.times -= 1
                    if ordered.times <= 0:
                        self._ordered.remove(ordered)
                return ordered.fault
        return None

    async def happen(self, fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as *fault* says, with what *app* would have answered where that is needed."""
        if fault.latency:
            await self._sleep(fault.latency)
        if fault.hang:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if fault.drop or fault.garbage:
            _drop(scope, b"\x16\x03\x01 this is no HTTP\r\n\r\n" if fault.garbage else b"")
            return
        if fault.status is not None:
            await _refuse(fault, send)
            return
        if not (fault.truncate or fault.malformed or fault.empty or fault.pause is not None):
            await app(scope, receive, send)
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        if fault.malformed:
            body = body[: len(body) // 2] + b'{"]'
        elif fault.empty:
            body = b""
        await self._spoil(fault, scope, messages[0], body, send)

    async def _spoil(self, fault: Fault, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**start, "headers": headers})
        if fault.truncate:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            _drop(scope, b"")
            return
        if fault.pause is not None:
            for place in range(0, len(body), 8):
                await send({"type": "http.response.body", "body": body[place : place + 8], "more_body": True})
                await self._sleep(fault.pause)
            body = b""
        await send({"type": "http.response.body", "body": body})


async def _refuse(fault: Fault, send: Send) -> None:
    body = b'{"messages": ["AWSJCO000E The engine cannot answer."]}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode("latin-1")))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _drop(scope: Scope, first: bytes) -> None:
    drop = scope.get("extensions", {}).get(DROP)
    if drop is not None:
        drop["write"](first)
    raise Dropped("the connection was cut on command")
