"""HTTP/2 announces no body: a GET with DATA frames reaches the app like any other, and its answer nobody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded
from tests.transparency.servers import Process, connect, serving

from asgi_resync import Cache, CacheMiddleware
from asgi_resync._asgi import Message, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the body says, to be kept by everybody."""
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    body = b""
    message: Message = {"more_body": True}
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    lengths = [name for name, _ in scope["headers"] if name == b"content-length"]
    text = json.dumps({"version": scope["http_version"], "body": body.decode(), "announced": bool(lengths)}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    await send({"type": "http.response.body", "body": text})


app = CacheMiddleware(echo, cache=Cache())


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    """Serve `app` by the one server of ours that speaks HTTP/2."""
    with serving("hypercorn", "tests.transparency.test_http2:app") as running:
        yield running


class Client:
    """One connection, over which requests go one after another."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.initiate_connection()

    def get(self, path: str, *chunks: bytes) -> tuple[dict[str, str], dict[str, object]]:
        """Return the fields and the text of the answer to a GET whose body comes in *chunks*, one frame each."""
        stream = self._h2.get_next_available_stream_id()
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "testserver"), (":path", path)]
        self._h2.send_headers(stream, fields, end_stream=not chunks)
        for number, chunk in enumerate(chunks, 1):
            self._h2.send_data(stream, chunk, end_stream=number == len(chunks))
        answer: dict[str, str] = {}
        body, ended = b"", False
        while not ended:
            self._socket.sendall(self._h2.data_to_send())
            received = self._socket.recv(1 << 16)
            assert received, "the server closes"
            for event in self._h2.receive_data(received):
                if isinstance(event, ResponseReceived):
                    answer = {str(name): str(value) for name, value in event.headers}
                elif isinstance(event, DataReceived):
                    body += event.data
                    self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
                ended = ended or isinstance(event, StreamEnded)
        return answer, json.loads(body)


def test_a_get_with_data_frames_poisons_nobody(server: Process) -> None:
    """Its own client gets what the app made of the body; it is not kept, and the next plain GET is answered plainly."""
    with connect(server.port) as connection:
        client = Client(connection)

        for body in (b"poison",), (b"poi", b"son"):
            fields, said = client.get("/plan", *body)
            assert {"version": "2", "body": "poison", "announced": False} == said
            assert "stored" not in fields.get("cache-status", "")
        first_fields, first = client.get("/plan")
        second_fields, second = client.get("/plan")

    assert "" == first["body"]
    assert "resync; fwd=uri-miss; stored" == first_fields["cache-status"]
    assert first == second
    assert second_fields["cache-status"].startswith("resync; hit")
