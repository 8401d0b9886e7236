"""A small HTTP/1.1 server for tests, on a real socket of 127.0.0.1. It can refuse connections, and cut them.

It speaks enough HTTP for clients under test: kept connections, bodies by length and in chunks. It has no TLS, no
pipelining and no limits, so nothing but tests may reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import unquote

from .._asgi import ASGIApp, Message, RawHeaders, Scope
from .faults import DROP, Dropped

TURNS = 5
"""Turns of asyncio's loop from an accepted connection to who serves it."""


class Server:
    """An app on a socket; see `serve`. `connections` counts those that were accepted so far."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._app = app
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = port
        self.connections = 0

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def accept(self) -> None:
        """Take connections, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut the connections that there are, and refuse new ones until `accept`."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # What was accepted just now is on its way to `_connected`, and nobody could cut it yet.
            await _settled()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _settled()  # A transport that was closed is so in the next turn.

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await _exchange(self._app, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # The connection ended, by either side; a cancelled one was cut by `refuse`.
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.close()


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, *, port: int = 0) -> AsyncIterator[Server]:
    """Serve *app* on 127.0.0.1, on a free port unless *port* names one, while the block lasts."""
    server = Server(app, port)
    await server.accept()
    try:
        yield server
    finally:
        await server.refuse()


async def _settled() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _exchange(app: ASGIApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Take one request and answer it. Return whether another may follow."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head[:-4].split(b"\r\n")
    method, target, version = line.split(b" ")
    headers: RawHeaders = []
    for field in lines:
        name, _, value = field.partition(b":")
        headers.append((name.strip().lower(), value.strip()))
    body = await _body(reader, dict(headers))
    path, _, query = target.partition(b"?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": version.decode("latin-1").removeprefix("HTTP/"),
        "method": method.decode("latin-1"),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": writer.get_extra_info("peername")[:2],
        "server": writer.get_extra_info("sockname")[:2],
        "state": {},
        "extensions": {DROP: {"write": writer.write}},
    }
    given = False
    is_chunked = False
    is_empty = method == b"HEAD"

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        # No client pipelines, so the next thing to come is the end.
        await reader.read(1)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal is_chunked, is_empty
        if message["type"] == "http.response.start":
            status = message["status"]
            out = [b"HTTP/1.1 %d -" % status, *(b"%s: %s" % pair for pair in message["headers"])]
            is_empty = is_empty or status in (204, 304)
            is_chunked = not is_empty and b"content-length" not in dict(message["headers"])
            out += [b"transfer-encoding: chunked"] if is_chunked else []
            writer.write(b"\r\n".join(out) + b"\r\n\r\n")
        elif not is_empty:
            part = message.get("body", b"")
            if is_chunked:
                writer.write(b"%x\r\n%s\r\n" % (len(part), part) if part else b"")
                writer.write(b"" if message.get("more_body", False) else b"0\r\n\r\n")
            else:
                writer.write(part)
        await writer.drain()

    try:
        await app(scope, receive, send)
    except Dropped:
        return False
    return not reader.at_eof() and dict(headers).get(b"connection", b"").lower() != b"close"


async def _body(reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding", b"").lower() != b"chunked":
        return await reader.readexactly(int(headers.get(b"content-length", b"0")))
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    while (await reader.readline()).strip():
        pass  # trailers
    return b"".join(parts)
