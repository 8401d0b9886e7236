"""A small reverse proxy as an ASGI app, to put a cache around. It adds no fields, and retries nothing."""

from __future__ import annotations

import asyncio

import h11

from asgi_resync._asgi import Receive, Scope, Send

CHUNK = 65536
LARGEST = 2**20
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"})


class ReverseProxy:
    """Forwards each request to *host*:*port* on a connection of its own.

    Header lines stay as many and in the order they came; bodies are streamed. Raises OSError or
    h11.RemoteProtocolError if the upstream cannot be reached or breaks off.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        body = await _body(receive)
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=LARGEST)
        try:
            await self._forward(scope, body, reader, writer, send)
        finally:
            writer.close()

    async def _forward(
        self, scope: Scope, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send
    ) -> None:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        if body and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % len(body)))
        request = h11.Request(method=scope["method"], target=target, headers=headers)
        for part in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(part) or b"")
        await writer.drain()

        while True:
            event = connection.next_event()
            match event:
                case h11.NEED_DATA:
                    connection.receive_data(await reader.read(CHUNK))
                case h11.Response():
                    fields = [pair for pair in event.headers if not _is_ours(*pair)]
                    await send({"type": "http.response.start", "status": event.status_code, "headers": fields})
                case h11.Data():
                    await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
                case h11.EndOfMessage():
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise ConnectionResetError("the upstream closed the connection")
                case _:
                    pass  # an interim response


def _is_ours(name: bytes, value: bytes) -> bool:
    """Return whether a field speaks of our connection to the upstream and of nothing else."""
    return name == b"transfer-encoding" or (name == b"connection" and value.lower() in (b"close", b"keep-alive"))


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
